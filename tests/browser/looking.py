"""Looking at a page in a real browser: waiting until it is drawn, what it says, whom it called, who can use it."""

import json
import time
from importlib.metadata import distribution
from typing import Any
from urllib.parse import urlsplit

from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.support.ui import WebDriverWait

DRAWN = """
if (document.readyState !== 'complete' || !window.store) return 'the page to load';
const {stored, completed, ...pending} = window.store.getState().callbacks;
const ticks = ({changedPropIds}) => Object.keys(changedPropIds).join().endsWith('.n_intervals');
const waiting = Object.values(pending).flat().filter(callback => !ticks(callback)).length;
if (waiting) return waiting + ' callbacks';
if (document.querySelector('._dash-loading')) return 'the layout';
const shown = graph => graph.offsetParent !== null;
const blank = [...document.querySelectorAll('.dash-graph')].filter(shown).filter(g => !g.querySelector('.main-svg'));
return blank.length ? blank.length + ' graphs' : '';
"""

PATIENCE = 90.0
"""Seconds that a page may take on a machine that does other things besides; alone it takes a few."""

RUN_AXE = """
const [within, options, done] = arguments;
const failed = error => done([{id: String(error), impact: 'critical', nodes: []}]);
axe.run(within, options).then(results => done(results.violations), failed);
"""

STILL = """
const fades = one => one instanceof CSSTransition && one.playState === 'running';
return !document.getAnimations().some(fades);
"""


def settle(driver: WebDriver, seconds: float = PATIENCE) -> None:
    """Wait until no callback runs, but for those of clocks, and every visible graph is drawn, twice in a row."""
    deadline, calm = time.monotonic() + seconds, 0
    while calm < 2:
        waits_for = driver.execute_script(DRAWN)
        calm = 0 if waits_for else calm + 1
        assert time.monotonic() < deadline, f"after {seconds} s the page still waits for {waits_for}"
        time.sleep(0.05)


def console(driver: WebDriver) -> list[str]:
    """The errors on the browser's console since the last time this was asked."""
    return [entry["message"] for entry in driver.get_log("browser") if entry["level"] == "SEVERE"]


def requests_made(driver: WebDriver) -> list[str]:
    """Every address the browser asked for since the last time, the ones that were stopped on the way among them."""
    events = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    sent = [event["params"] for event in events if event["method"] == "Network.requestWillBeSent"]
    sockets = [event["params"] for event in events if event["method"] == "Network.webSocketCreated"]
    urls = [params["request"]["url"] for params in sent] + [params["url"] for params in sockets]
    return [url for url in urls if urlsplit(url).scheme in ("http", "https", "ws", "wss")]


def foreign(urls: list[str]) -> list[str]:
    """The addresses that are not this machine."""
    return [url for url in urls if urlsplit(url).hostname not in ("127.0.0.1", "localhost")]


def axe(driver: WebDriver, within: str = "html") -> list[str]:
    """What axe-core finds serious or critical (WCAG 2 A and AA): one line for each rule, with where it is broken.

    It looks once nothing fades any more: what is half seen through has no contrast of its own.
    """
    WebDriverWait(driver, 10).until(lambda one: one.execute_script(STILL), "something fades for ever")
    driver.execute_script(_axe_source())
    options = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"], "resultTypes": ["violations"]}
    found: list[dict[str, Any]] = driver.execute_async_script(RUN_AXE, within, options)
    serious = [rule for rule in found if rule["impact"] in ("serious", "critical")]
    return [f"{rule['id']}: {'; '.join(str(node['target']) for node in rule['nodes'])}" for rule in serious]


def _axe_source() -> str:
    package = distribution("axe-playwright-python")
    return package.locate_file("axe_playwright_python/axe.min.js").read_text(encoding="utf-8")
