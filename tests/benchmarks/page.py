"""How long a press on the page takes until it is drawn, in headless Chromium without a graphics card.

    python -m tests.benchmarks.page [--model demo:stories | --gpt2-sized] [--rounds 5] [--json results.json]

Each press is timed in the browser from the click to the last change of the page it brings about, and cut in two: until
the last answer of the server has come, and from then until all is drawn. The table gives medians over rounds, with the
number of requests and the kilobytes of the largest answer. `--gpt2-sized` makes a model of GPT-2's shape (12 layers ×
3,072 neurons) with random weights and a demo model's tokenizer, and a text of 128 tokens. The server and the browser
share this machine's processors.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

STEPS: tuple[tuple[str, str], ...] = (
    ("token lock", ".strip .token:nth-child(6)"),
    ("token let go", ".strip .token:nth-child(6)"),
    ("layer up", "[data-key='ArrowUp']"),
    ("layer down", "[data-key='ArrowDown']"),
    ("site: residual", "site=residual"),
    ("site: neurons", "site=neurons"),
    ("tab: layers", ".tab-link:nth-child(2)"),
    ("tab: statistics", ".tab-link:nth-child(3)"),
    ("tab: neurons", ".tab-link:nth-child(1)"),
    ("all neurons", "[data-go*='\"count\": 0']"),
    ("strongest 64", "[data-go*='\"count\": 64']"),
)
"""What is pressed, in turn: a name, and what to click or the control to set."""

COMPARED: tuple[tuple[str, str], ...] = (
    ("side: B", '[data-go*=\'"side": "b"\']'),
    ("side: B − A", '[data-go*=\'"side": "difference"\']'),
)
"""The same with two texts."""

TEXT = "Once upon a time there was a little girl named Lily. She saw a red ball in the old box. " * 7

PRESS = """
const [what, done] = arguments, still = 400;
const requests = [], start = performance.now();
let last = start;
const watch = new MutationObserver(changes => {
  const within = ({target}) => (target.nodeType === 1 ? target : target.parentElement)?.closest('.memory-place, .work');
  if (!changes.every(within)) last = performance.now();
});
watch.observe(document.body, {subtree: true, childList: true, attributes: true, characterData: true});
const asked = list => list.getEntries().filter(entry => entry.name.includes('_dash-update'));
const seen = new PerformanceObserver(list => requests.push(...asked(list)));
seen.observe({type: 'resource'});
const [, field, value] = what.match(/^(\\w+)=(\\w+)$/) ?? [];
if (field) {
  const select = document.querySelector(`[id='{"field":"${field}"}']`);
  Object.getOwnPropertyDescriptor(HTMLSelectElement.prototype, 'value').set.call(select, value);
  select.dispatchEvent(new Event('change', {bubbles: true}));
} else document.querySelector(what).click();
const busy = () => {
  const {stored, completed, ...pending} = window.store.getState().callbacks;
  return Object.values(pending).flat().length;
};
const wait = () => {
  if (busy() || performance.now() - Math.max(last, start) < still) return setTimeout(wait, 20);
  watch.disconnect(); seen.disconnect();
  const own = requests.filter(e => e.startTime >= start - 1);
  const answered = Math.max(start, ...own.map(e => e.responseEnd).filter(end => end <= last));
  const sizes = own.map(e => e.encodedBodySize), all = sizes.reduce((sum, size) => sum + size, 0);
  done({total: last - start, answered: answered - start, requests: own.length, bytes: Math.max(0, ...sizes), all});
};
setTimeout(wait, 50);
"""


def main() -> None:
    """Run, print a table, and write the figures if asked."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--model", default="demo:stories")
    arguments.add_argument("--gpt2-sized", action="store_true")
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--json", type=Path)
    asked = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        model = str(_gpt2_sized(home / "models" / "gpt2-sized")) if asked.gpt2_sized else asked.model
        found = _measure(home, model, TEXT if asked.gpt2_sized else None, asked.rounds)
    _print(model, found)
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=1), encoding="utf-8")


def _gpt2_sized(folder: Path) -> Path:
    import transformers

    from neuronscope.demo import DEMOS

    tokenizer = transformers.AutoTokenizer.from_pretrained(DEMOS[0].folder)
    config = transformers.GPT2Config()
    transformers.GPT2LMHeadModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _measure(home: Path, model: str, text: str | None, rounds: int) -> dict[str, dict[str, float]]:
    from neuronscope.app import create_app
    from neuronscope.app.serving import background_server
    from neuronscope.scope import Workspace
    from neuronscope.settings import Settings

    workspace = Workspace(Settings(home / "cache", home / "data", offline=True, model_roots=(home / "models",)))
    app = create_app(workspace, model=model)
    server, driver = background_server(app), _browser()
    try:
        times: dict[str, list[dict[str, float]]] = {}
        for steps, more in ((STEPS, {}), (COMPARED, {"compare": "The big dog ran to the park and saw a cat."})):
            query = {name: value for name, value in {"text": text, **more}.items() if value is not None}
            _open(driver, f"{server.url}?{urlencode(query)}", app.builder)
            for _ in range(rounds):
                for name, what in steps:
                    times.setdefault(name, []).append(driver.execute_async_script(PRESS, what))
    finally:
        driver.quit()
        app.manager.close()
        server.close()
        workspace.close()
    return {name: {key: statistics.median(t[key] for t in seen) for key in seen[0]} for name, seen in times.items()}


def _browser() -> Any:
    from selenium import webdriver

    from tests.browser.conftest import FLAGS

    options = webdriver.ChromeOptions()
    options.binary_location = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    for flag in FLAGS:
        options.add_argument(flag)
    return webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))


def _open(driver: Any, url: str, builder: Any) -> None:
    """Open the page, wait until it is drawn and the index built that a demo model gets by itself, and stop its clocks.

    The requests of these are not what is measured.
    """
    from tests.browser.looking import settle
    from tests.browser.pages import QUIET

    driver.get(url)
    driver.set_script_timeout(120)
    deadline = time.monotonic() + 120
    settle(driver, 120)
    while builder.busy or not driver.execute_script(QUIET):
        assert time.monotonic() < deadline, "the text was not read or not indexed"
        time.sleep(0.1)
    settle(driver, 120)
    for clock in ("memory-clock", "sizes-clock"):
        driver.execute_script("dash_clientside.set_props(arguments[0], {disabled: true})", clock)
    time.sleep(3)


def _print(model: str, found: dict[str, dict[str, float]]) -> None:
    print(f"{model}\n{'press':<18}{'drawn':>8}{'answered':>10}{'then':>8}{'requests':>10}{'largest':>11}{'all':>10}")
    for name, t in found.items():
        then = t["total"] - t["answered"]
        print(
            f"{name:<18}{t['total']:>5.0f} ms{t['answered']:>7.0f} ms{then:>5.0f} ms{t['requests']:>10.0f}"
            f"{t['bytes'] / 1000:>8.0f} kB{t['all'] / 1000:>7.0f} kB"
        )


if __name__ == "__main__":
    main()
