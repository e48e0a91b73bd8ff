"""The page for people, in a real browser that reaches nothing but loopback."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from browser import Browser, BrowserError, find

from pulumi_jig.emulator import EmulatorServer, start
from pulumi_jig.rehearsal import Rehearsal

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(
    find() is None, reason="no Chromium here: apt-get install chromium"
)

FOREIGN = "rebound.example"
LIVE = "document.querySelector('#state').dataset.state === 'live'"
CANARY = "canary-77aa"
HOSTILE = "<img src=/x onerror=window.hit=1><script>window.hit=1</script>"
# The contrast of every visible text with what is behind it, the worst first.
CONTRAST = """
(() => {
  const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => {
    const f = (c) => ((c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * f(r) + 0.7152 * f(g) + 0.0722 * f(b);
  };
  const behind = (e) => {
    for (; e; e = e.parentElement) {
      const found = parts(getComputedStyle(e).backgroundColor);
      if (found[3] !== 0) return found;
    }
  };
  const found = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; (node = walk.nextNode()); ) {
    const e = node.parentElement;
    if (!node.data.trim() || !e.checkVisibility() || e.closest(".unseen, .skip")) continue;
    const [a, b] = [light(parts(getComputedStyle(e).color)), light(behind(e))];
    found.push([(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), node.data]);
  }
  return found.sort((x, y) => x[0] - y[0]);
})()
"""


@pytest.fixture(scope="module")
def shared() -> Iterator[Browser]:
    """Return one browser for all tests here."""
    with Browser(hosts=(FOREIGN,)) as running:
        yield running


@pytest.fixture
def browser(shared: Browser) -> Browser:
    """Return the browser as new: an empty page, a wide window, nothing heard yet."""
    shared.open("about:blank")
    shared.size(1280, 900)
    shared.scheme("light")
    shared.requests.clear()
    shared.complaints.clear()
    return shared


@pytest.fixture
def page(browser: Browser, server: EmulatorServer) -> Browser:
    """Return the browser on the page, live."""
    browser.open(server.url + "/")
    browser.until(LIVE)
    return browser


def row(page: Browser, name: str) -> str:
    """The cells of a deployment's row, or the empty string."""
    return str(
        page.run(
            f"[...document.querySelectorAll('tr.row')].filter((r) => "
            f"r.cells[0].innerText === {json.dumps(name)})"
            ".map((r) => [...r.cells].map((c) => c.innerText.trim()).join('|'))[0] ?? ''"
        )
    )


def until_row(page: Browser, start: str) -> None:
    """Wait until a row begins so."""
    page.until(
        "[...document.querySelectorAll('tr.row')].some((r) => [...r.cells]"
        f".map((c) => c.innerText.trim()).join('|').startsWith({json.dumps(start)}))"
    )


def many_rows() -> str:
    """How many rows are shown, as a script."""
    return "document.querySelectorAll('tr.row').length"


def test_the_page_follows_a_roll_out(page, api, clock):
    """A deployment comes, serves and goes, on a page that nobody reloads."""
    api.create(gpu_type="h100-80gb", gpu_count=2)
    until_row(
        page, "demo-app|Updating|0 of 1|2 \N{MULTIPLICATION SIGN} h100-80gb|1|app:1"
    )
    clock.pass_(60)
    until_row(page, "demo-app|Ready|1 of 1")
    api.patch(image="r/crashloop:2")
    clock.pass_(600)
    until_row(page, "demo-app|Failed · CrashLoopBackOff|1 of 1")
    api.ok("DELETE", "/v1/deployments/demo-app")
    clock.pass_(60)
    page.until(many_rows() + " === 0")

    assert "Nothing is deployed." in page.text()


def test_the_page_follows_an_up_that_runs(browser, tmp_path):
    """While a program is being brought up, whoever watches sees how far it is."""
    (tmp_path / "Pulumi.yaml").write_text("name: shop\nruntime: python\n")
    (tmp_path / "__main__.py").write_text(
        "from pulumi_jig import Deployment\n"
        f"Deployment('llm', name='watched', image='r/a:1', gpu_type='none', port=80,"
        f" health_check_path='/', environment_variables={{'TOKEN': '{CANARY}'}})\n"
    )
    with start(time_scale=0.02) as emulator, ThreadPoolExecutor() as pool:
        emulator.admin.hold("watched")
        browser.open(emulator.url + "/")
        env = {"TOGETHER_API_KEY": "acct:home:1", "TOGETHER_BASE_URL": emulator.url}
        with Rehearsal(tmp_path, env=env) as stack:
            up = pool.submit(stack.up)
            until_row(browser, "watched|Updating · time stands still|0 of 1")
            going_on = not up.done()
            emulator.admin.release("watched")
            until_row(browser, "watched|Ready|1 of 1")
            browser.until("document.body.innerText.includes('TOKEN (value hidden)')")
            shown = browser.run("document.documentElement.outerHTML")
            assert up.result().ok
            stack.destroy().raise_if_failed()
        browser.until(many_rows() + " === 0")

    assert going_on
    assert CANARY not in shown


def test_an_opened_deployment_shows_everything_but_values(page, api, clock):
    """Replicas with their events, revisions, log, settings, and names of variables."""
    api.create(environment_variables=[{"name": "TOKEN", "value": CANARY}])
    clock.pass_(60)
    api.patch(image="r/app:2")

    page.until("document.body.innerText.includes('r/app:2')")
    page.until("document.querySelectorAll('.revisions tbody tr').length === 2")
    text = page.text()

    assert "TOKEN (value hidden)" in text
    assert ["serving", "starting"] == page.run(
        "[...document.querySelectorAll('.replicas tbody tr')]"
        ".map((r) => r.cells[2].innerText)"
    )
    assert "application is ready to serve" in text
    assert CANARY not in page.run("document.documentElement.outerHTML")


def test_the_page_needs_nothing_from_outside(page, api, server):
    """Each request goes to the emulator, and the browser has nothing to complain of."""
    api.create()
    until_row(page, "demo-app|")

    assert {server.url} == {"/".join(url.split("/")[:3]) for url in page.requests}
    assert [] == page.complaints


def test_faults_and_requests_are_shown(page, api, admin):
    """A person sees which answer was made up, and which fault made it."""
    admin.fault(method="GET", path="/deployments", status=503, times=2)
    api.send("GET", "/v1/deployments")

    page.until("document.querySelectorAll('#requests tr').length === 1")

    assert ["1", "GET /deployments: 2 from no. 1 on", "status 503", "1 of 2"] == (
        page.run(
            "[...document.querySelector('#faults tr').cells].map((c) => c.innerText)"
        )
    )
    assert ["GET", "/deployments", "503", "no. 1"] == page.run(
        "[1, 2, 3, 6].map((i) => document.querySelector('#requests tr').cells[i].innerText)"
    )


def test_text_never_becomes_markup(page, api, admin, clock):
    """Names, descriptions, images and messages are shown letter by letter."""
    api.create("plain", description=HOSTILE)
    admin.foreign(HOSTILE, account=HOSTILE, fields={"image": HOSTILE})
    admin.set_status("plain", HOSTILE)
    admin.fault(method="GET", path=HOSTILE, status=500)
    api.send("GET", "/v1/<b>" + HOSTILE.replace(" ", "%20"))
    page.until(many_rows() + " === 2")
    page.run("document.querySelectorAll('.open')[0].click()")
    page.until("document.body.innerText.includes('description')")

    assert HOSTILE in page.text()
    assert 0 == page.run(
        "document.querySelectorAll('img, script:not([src]), b b').length"
    )
    assert page.run("window.hit === undefined")
    assert [] == page.complaints


@pytest.mark.parametrize(
    "script",
    [
        "document.body.innerHTML = '<b>x</b>'",
        "document.createElement('script').textContent = '1'",
        "eval('1')",
        "document.body.insertAdjacentHTML('beforeend', '<b>x</b>')",
    ],
)
def test_the_policy_lets_no_text_run(page, script):
    """Even a mistake of ours could not make a script of what the service says."""
    # The protocol's own evaluation is exempt; a timer's callback is not.
    refused = page.run(
        "new Promise((done) => setTimeout(() => { try { "
        + script
        + "; done('ran') } catch (e) { done(e.name) } }))"
    )

    assert refused in {"TypeError", "EvalError"}


def test_a_rebound_name_gets_no_page(browser, server):
    """A name of somebody else that leads to loopback is refused by its Host header."""
    browser.open(f"http://{FOREIGN}:{server.port}/")

    assert "the Host header must be a loopback name" in browser.text()


def test_no_other_page_can_read_the_data(browser, api, server):
    """A page from elsewhere that knows the port learns nothing."""
    api.create()

    assert "TypeError" == browser.run(
        f"fetch('{server.url}/page.json').then((r) => r.text(), (e) => e.name)"
    )


@pytest.mark.parametrize(
    "shape", [(w, s) for w in (360, 800, 1280) for s in ("light", "dark")]
)
def test_the_page_fits_and_can_be_read(page, api, admin, clock, shape):
    """No window scrolls sideways, and all text stands out by 4.5 to 1 or more."""
    width, scheme = shape
    page.size(width, 800)
    page.scheme(scheme)
    api.create("a-name-as-long-as-names-can-be-" + "x" * 32, image="r/" + "y" * 90)
    api.create("failing", image="r/crashloop:1", gpu_type="h100-80gb", gpu_count=1)
    api.create("asleep", min_replicas=0, max_replicas=2)
    admin.fault(method="GET", path="/" + "z" * 60, status=500)
    clock.pass_(600)
    api.create("starting")
    page.until(many_rows() + " === 4")
    page.run("document.querySelectorAll('.open')[1].click()")
    page.until("document.querySelectorAll('.replicas tbody tr').length === 1")

    assert width == page.run("document.documentElement.scrollWidth")
    assert [] == page.run(
        "[...document.querySelectorAll('.log, .scroll')].filter((box) =>"
        " box.scrollWidth > box.clientWidth).map((box) => box.className)"
    )
    worst, text = page.run(CONTRAST)[0]
    assert (True, text) == (worst >= 4.5, text), worst
    assert (
        page.run("getComputedStyle(document.body).backgroundColor")
        == ({"light": "rgb(246, 247, 249)", "dark": "rgb(20, 23, 28)"}[scheme])
    )


def test_names_keep_their_room_on_a_narrow_window(page, api, clock):
    """An opened deployment takes no width from the columns of the list."""
    page.size(360, 800)
    api.create()
    clock.pass_(60)
    page.until("document.querySelectorAll('.replicas tbody tr').length === 1")

    assert page.run("document.querySelector('.open').offsetWidth > 80")


def test_updates_move_nothing(page, api, clock):
    """What is changing stays where it is; only the log of requests moves on."""
    for name in ("first", "second", "third"):
        api.create(name, min_replicas=2)
    page.until(many_rows() + " === 3")
    page.run(
        "window.moved = []; new PerformanceObserver((list) => { for (const shift of "
        "list.getEntries()) for (const {node} of shift.sources)"
        " if (!node.parentElement?.closest('#requests')) moved.push(node.nodeName); })"
        ".observe({type: 'layout-shift'})"
    )
    clock.pass_(60)
    until_row(page, "third|Ready|2 of 2")
    api.patch("second", image="r/crashloop:1")
    clock.pass_(600)
    until_row(page, "second|Failed")
    page.run(
        "new Promise((done) => requestAnimationFrame(() => setTimeout(done, 100)))"
    )

    assert [] == page.run("moved")


def test_the_keyboard_opens_and_keeps_its_place(page, api, clock):
    """Tab reaches a deployment, Enter opens it, and an update leaves the focus there."""
    api.create("first")
    api.create("second")
    page.until(many_rows() + " === 2")
    for _ in range(30):
        page.press("Tab")
        if page.run("document.activeElement.innerText") == "second":
            break
    page.press("Enter")
    page.until("document.querySelectorAll('.replicas tbody tr').length === 1")
    clock.pass_(60)
    until_row(page, "second|Ready")

    assert ["second", "true"] == page.run(
        "[document.activeElement.innerText,"
        " document.activeElement.getAttribute('aria-expanded')]"
    )
    assert page.run("location.hash") == "#d=second"


def test_a_reloaded_page_opens_what_was_open(page, api, server):
    """The address names the deployment, so it can be passed on."""
    api.create("first")
    api.create("second")

    page.open(server.url + "/?#d=second")
    page.until("document.querySelectorAll('.replicas tbody tr').length === 1")

    assert "true" == page.run(
        "document.querySelectorAll('.open')[1].getAttribute('aria-expanded')"
    )


def test_those_who_listen_are_told(page, api, clock):
    """A change of status is one polite sentence; a page is found by its headings."""
    api.create()
    page.until(
        "document.querySelector('#told').textContent === 'demo-app is Updating.'"
    )
    clock.pass_(60)
    page.until("document.querySelector('#told').textContent === 'demo-app is Ready.'")

    assert "polite" == page.run("document.querySelector('#told').ariaLive")
    assert 1 == page.run("document.querySelectorAll('h1').length")
    assert 0 == page.run(
        "[...document.querySelectorAll('th')].filter((th) => !th.scope).length"
    )
    assert [] == page.run(
        "[...document.querySelectorAll('button, input, [tabindex=\"0\"]')].filter((e) =>"
        " !(e.innerText || e.labels?.length || e.ariaLabel ||"
        " e.getAttribute('aria-labelledby'))).map((e) => e.outerHTML)"
    )


def test_an_emulator_that_stops_is_told_and_found_again(browser, clock):
    """The page keeps what it knew, says so, and goes on when the emulator is back."""
    with EmulatorServer(wall=clock) as first:
        first.backend.run(
            lambda now: first.backend.deployments.insert(
                "home", "kept", {"image": "r/a:1", "gpu_type": "none"}, now
            )
        )
        browser.open(first.url + "/")
        until_row(browser, "kept|")
        port = first.port
    browser.until("document.querySelector('#state').dataset.state === 'lost'")

    assert "is the emulator still running?" in browser.text()
    assert row(browser, "kept") != ""
    with EmulatorServer(wall=clock, port=port):
        browser.until(LIVE)
        browser.until(many_rows() + " === 0")


def test_a_pause_holds_the_page_still(page, api):
    """Until it goes on, or somebody opens something."""
    api.create()
    until_row(page, "demo-app|")
    page.run("document.querySelector('#pause').click()")
    asked = len(page.requests)
    api.create("later")
    # Several looks would have come in that time.
    page.run("new Promise((done) => setTimeout(done, 1200))")

    assert len(page.requests) - asked <= 1, "a look under way may still end"
    assert "" == row(page, "later")
    page.run("document.querySelector('#pause').click()")
    until_row(page, "later|")


def test_a_thousand_deployments_stay_usable(page, server):
    """The first are shown, all are counted and can be found, and asked for."""

    def fill(now):
        for number in range(1000):
            server.backend.deployments.insert(
                "home",
                f"fleet-{number:04}",
                {"image": "r/a:1", "gpu_type": "none"},
                now,
            )

    server.backend.run(fill)
    page.until(many_rows() + " === 200")
    assert "200 of 1000 shown." in page.text()

    page.run(
        "const find = document.querySelector('#find'); find.value = 'FLEET-099';"
        "find.dispatchEvent(new Event('input'))"
    )
    assert 10 == page.run(many_rows())
    page.run("find.value = ''; find.dispatchEvent(new Event('input'))")
    page.run("document.querySelector('#rest button').click()")
    assert 1000 == page.run(many_rows())


def test_the_browser_speaks_up() -> None:
    """The instrument itself reports what a script throws."""
    with Browser() as own, pytest.raises(BrowserError, match="boom"):
        own.run("throw new Error('boom')")
