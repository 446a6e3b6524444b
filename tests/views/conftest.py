import shutil

import pytest

from tests.helpers.timelines import sample


@pytest.fixture(scope="session")
def half_minute():
    """Thirty seconds with every kind of result; not to be changed by a test."""
    return sample(minutes=0.5)


@pytest.fixture
def golden():
    """A fresh copy of the small Timeline made by hand, free to be changed."""
    from tests.views.formats.golden.make_golden import golden

    return golden()


CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture(scope="session")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--mute-audio"])
        yield browser
        browser.close()


@pytest.fixture
def visit(browser):
    """Open a page from disk; at the end it must have had no error, no dialog, and asked nothing of a network."""
    troubles, contexts = [], []

    def refuse(dialog):
        troubles.append(dialog.message)
        dialog.dismiss()

    def visit(path, **options):
        contexts.append(browser.new_context(**({"viewport": {"width": 1280, "height": 900}} | options)))
        page = contexts[-1].new_page()
        page.on("console", lambda message: troubles.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("dialog", refuse)
        page.on("request", lambda r: None if r.url.startswith(("file:", "data:", "blob:")) else troubles.append(r.url))
        page.goto(path.as_uri())
        page.wait_for_selector("html[data-ready]")
        return page

    yield visit
    for context in contexts:
        context.close()
    assert troubles == []
