"""One headless Chromium for all browser tests, and a way to serve an app to it."""

import os
import shutil
from collections.abc import Callable, Iterator

import pytest
from dash import Dash
from selenium import webdriver
from selenium.webdriver.remote.webdriver import WebDriver

from neuronscope.app.serving import BackgroundServer, Closer, background_server
from tests.browser.looking import PATIENCE, console, foreign, requests_made
from tests.browser.pages import Page, Site

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--enable-unsafe-swiftshader",  # WebGL without a graphics card
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-background-timer-throttling",
    "--disable-renderer-backgrounding",
    "--force-device-scale-factor=1",
    "--window-size=1440,900",
)


@pytest.fixture(scope="session")
def chromium() -> Iterator[WebDriver]:
    """The browser; where there is none, tests skip, but on CI (`CI=true`) they fail."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    chromedriver = shutil.which("chromedriver")
    if not (browser and chromedriver):
        leave = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        leave("needs chromium and chromedriver (Debian: apt install chromium chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    for flag in FLAGS:
        options.add_argument(flag)
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(chromedriver))
    driver.set_script_timeout(PATIENCE)
    yield driver
    driver.quit()


@pytest.fixture
def driver(chromium: WebDriver) -> Iterator[WebDriver]:
    """The browser with one empty tab.

    Afterwards its console must hold no error and no request may have left this machine; a test that causes such on
    purpose takes them first, with `console` and `requests_made`.
    """
    console(chromium), requests_made(chromium)
    chromium.set_window_size(1440, 900)
    first = chromium.current_window_handle
    yield chromium
    errors, gone_out = console(chromium), foreign(requests_made(chromium))
    for tab in [tab for tab in chromium.window_handles if tab != first]:
        chromium.switch_to.window(tab)
        chromium.close()
    chromium.switch_to.window(first)
    chromium.get("about:blank")
    chromium.execute_cdp_cmd("Network.clearBrowserCookies", {})
    assert errors == []
    assert gone_out == []


@pytest.fixture
def served() -> Iterator[Callable[..., BackgroundServer]]:
    """`served(app, manager, token=...)` serves an app on a free port until the test ends; the manager closes first."""
    to_close: list[Closer] = []

    def start(app: Dash | Callable[[int], Dash], *closers: Closer, **options: str) -> BackgroundServer:
        server = background_server(app, **options)
        to_close.extend((*closers, server))
        return server

    yield start
    for closer in to_close:
        closer.close()


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The whole page, served once for all tests, with two tiny models that read any text byte by byte."""
    home = tmp_path_factory.mktemp("site")
    made = Site.start(home)
    yield made
    made.close()


@pytest.fixture
def page(chromium: WebDriver, site: Site) -> Iterator[Page]:
    """A visitor on the site. The page stays open from test to test, for loading it is what takes longest.

    As after `driver`, its console must hold no error and no request may have left this machine.
    """
    yield Page(chromium, site)
    assert console(chromium) == []
    assert foreign(requests_made(chromium)) == []
