"""The page under test: two tiny models that read any text byte by byte, and a visitor's hands and eyes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from selenium.common.exceptions import StaleElementReferenceException, TimeoutException
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from neuronscope.app import create_app
from neuronscope.app.serving import BackgroundServer, background_server
from neuronscope.scope import Scope, Workspace
from neuronscope.settings import Settings
from tests.browser.looking import PATIENCE, settle
from tests.models_for_tests import gpt2, llama

QUIET = """
const [work, again] = ['work', 'again'].map(id => document.getElementById(id));
return Boolean(document.querySelector('.strip, .warm-models')) && work.hidden && !document.querySelector('.main.stale');
"""

STATE = """
const work = document.getElementById('work'), again = document.getElementById('again');
return JSON.stringify({
    main: document.querySelector('.main')?.className, working: !work?.hidden, again: !again?.hidden,
    doing: work?.textContent, strip: Boolean(document.querySelector('.strip')), address: location.search,
    notices: [...document.querySelectorAll('.notice')].map(notice => notice.textContent),
});
"""
"""What the page shows of its work, for a test that waits in vain."""


_SIZES = {"vocab_size": 256, "n_positions": 160, "n_inner": 700}
"""Of `tiny`."""


@dataclass
class Site:
    """The page being served."""

    workspace: Workspace
    """What it asks."""
    server: BackgroundServer
    """Its server."""
    manager: Any
    """What runs its long work."""

    @classmethod
    def start(cls, home: Path) -> Site:
        """Serve the page with the models `tiny` (GPT-2) and `gated` (Llama)."""
        workspace = Workspace(Settings(home / "cache", home / "data", offline=True, model_roots=(home / "models",)))
        workspace.attach(gpt2(**_SIZES), byte_tokenizer(), "tiny")
        workspace.attach(llama(vocab_size=256, max_position_embeddings=160), byte_tokenizer(), "gated")
        app = create_app(workspace, model="tiny")
        return cls(workspace, background_server(app), app.manager)

    @contextmanager
    def another(self, name: str) -> Iterator[Scope]:
        """A model of the shape and tokenizer of `tiny` with other weights, in memory as long as its context lasts."""
        scope = self.workspace.attach(gpt2(seed=1, **_SIZES), byte_tokenizer(), name)
        yield scope
        self.workspace.manager.evict(scope.key)

    def close(self) -> None:
        """End its work, its server and its models."""
        self.manager.close()
        self.server.close()
        self.workspace.close()


def byte_tokenizer() -> Any:
    """One token for each byte of the text."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = {character: i for i, character in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    bytes_of = Tokenizer(models.BPE(vocab=alphabet, merges=[]))
    bytes_of.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    bytes_of.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=bytes_of)


SHORT = "hello there"
"""The text that tests look at unless they bring their own."""

AFRESH = """
const close = '.modal.show .btn-close, .notice .btn-close, .panel.enlarged [data-enlarge]';
document.querySelectorAll(close).forEach(button => button.click());
document.querySelectorAll('details[open]').forEach(details => details.removeAttribute('open'));
if (document.documentElement.dataset.bsTheme === 'dark') document.querySelector('[data-theme]').click();
document.activeElement.blur();
window.scrollTo(0, 0);
dash_clientside.set_props('texts', {data: null});
dash_clientside.set_props('url', {search: arguments[0]});
"""


class Page:
    """What a visitor does and sees."""

    def __init__(self, driver: WebDriver, site: Site) -> None:
        """A visitor at the browser."""
        self.driver = driver
        self.site = site

    def open(self, *, ready: bool = True, fresh: bool = False, **query: Any) -> Page:
        """Go to an address of the site and wait until all of it is drawn; with `fresh`, load the page anew.

        The text is a short one unless another is given; `text=None` leaves it to the page.
        """
        query = {name: value for name, value in {"text": SHORT, **query}.items() if value is not None}
        search = f"?{urlencode(query)}" if query else ""
        if not fresh and self.driver.current_url.startswith(self.site.server.url):
            self.driver.execute_script(AFRESH, search)
        else:
            self.driver.get(f"{self.site.server.url}_dash-layout")
            self.driver.execute_script("localStorage.setItem('neuronscope-theme', '\"light\"')")
            self.driver.get(f"{self.site.server.url}{search}")
        return self.ready() if ready else self.settled()

    def ready(self) -> Page:
        """Wait until what is asked for has been read and drawn."""
        self.settled()
        self.wait(lambda: self.driver.execute_script(QUIET), "the text to be read")
        return self.settled()

    def settled(self) -> Page:
        """Wait until no callback runs."""
        settle(self.driver)
        return self

    def wait(self, condition: Any, what: str = "", seconds: float = PATIENCE) -> Any:
        """Wait until `condition()` holds."""
        try:
            waiting = WebDriverWait(self.driver, seconds, 0.05, [StaleElementReferenceException])
            return waiting.until(lambda _: condition(), what)
        except TimeoutException as error:
            raise AssertionError(f"{what} did not come in {seconds} s; {self.driver.execute_script(STATE)}") from error

    def one(self, selector: str) -> WebElement:
        """The first element that `selector` finds."""
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector: str) -> list[WebElement]:
        """Every element that `selector` finds."""
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def press(self, selector: str) -> Page:
        """Press the first visible element that `selector` finds, and wait until the page has answered."""

        def click() -> bool:
            next(element for element in self.all(selector) if element.is_displayed()).click()
            return True

        self.wait(click, selector)  # found anew where it was replaced meanwhile
        return self.settled()

    def choose(self, field: str, value: str) -> Page:
        """Choose a value in one of the settings in one step, as these may be redrawn at any time."""
        self.driver.execute_script(
            """
            const control = document.querySelector(`[id='{"field":"${arguments[0]}"}']`);
            Object.getOwnPropertyDescriptor(HTMLSelectElement.prototype, 'value').set.call(control, arguments[1]);
            control.dispatchEvent(new Event('change', {bubbles: true}));
            """,
            field,
            value,
        )
        return self

    def keys(self, *keys: str) -> Page:
        """Type on the page itself."""
        ActionChains(self.driver).send_keys(*keys).perform()
        return self.settled()

    def write(self, text: str, *, run: bool = True) -> Page:
        """Write into the prompt box, and run it with Ctrl-Enter."""
        box = self.one(".prompt-box")
        box.send_keys(Keys.CONTROL, "a")
        box.send_keys(text)
        if run:
            box.send_keys(Keys.CONTROL, Keys.ENTER)
            return self.ready()
        return self

    @property
    def query(self) -> dict[str, str]:
        """What stands in the address, but for the short text."""
        found = {name: values[0] for name, values in parse_qs(urlsplit(self.driver.current_url).query).items()}
        return {name: value for name, value in found.items() if (name, value) != ("text", SHORT)}

    @property
    def tokens(self) -> list[str]:
        """The tokens of the first strip, as they are shown."""
        return self.driver.execute_script(
            "return [...document.querySelector('.strip').querySelectorAll('.token')].map(t => t.textContent)"
        )

    @property
    def notices(self) -> list[str]:
        """The notices that stand on the page."""
        return [notice.get_property("innerText").replace("\n\n", "\n").strip() for notice in self.all(".notice")]

    def figure(self, graph: str, expression: str) -> Any:
        """Part of a plot, such as `data[0].type`."""
        return self.driver.execute_script(
            f"const plot = document.querySelector('#{graph} .js-plotly-plot'); return plot.{expression}"
        )
