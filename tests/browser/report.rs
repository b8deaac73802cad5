//! The page of an experiment: a file, which needs no server.

use memberlist_experiments::{Experiment, Options};
use memberlist_tests::scratch;

use crate::devtools::Browser;

#[test]
#[ignore = "needs Debian's chromium"]
fn the_numbers_of_an_experiment_can_be_read_off() {
    let options = Options { quick: true, seeds: Some(3), ..Options::default() };
    let mut report = Experiment::Serf.run(&options, &());
    // Whatever a text contains, it is shown as text.
    report.command = "<script>document.title = 'owned'</script>{body}".into();
    let folder = scratch("report");
    let page = report.write(&folder).expect("a writable folder");
    let mut browser = Browser::start(1280, "light");
    browser.open(&format!("file://{}", page.display()));
    assert_eq!(browser.text("h1"), report.title);
    assert_eq!(browser.eval("document.title"), report.title);
    assert_eq!(browser.eval("document.querySelectorAll('figure svg').length"), report.plots.len());
    assert_eq!(browser.eval("document.querySelectorAll('table').length"), report.tables.len());
    let rows: usize = report.tables.iter().map(|table| table.rows().len() + 1).sum();
    assert_eq!(browser.eval("document.querySelectorAll('tr').length"), rows);
    let first = report.tables[0].rows().last().and_then(|row| row.last()).expect("figures");
    assert_eq!(browser.text("tr:last-child td:last-child"), first.shown());

    // The pointer near a point shows its numbers.
    let expected = browser.eval(
        "(() => {
            const mark = document.querySelectorAll('figure .mark')[3];
            const at = mark.getBoundingClientRect();
            const event = new PointerEvent('pointermove', { bubbles: true,
                clientX: at.x + at.width / 2, clientY: at.y + at.height / 2 });
            mark.ownerSVGElement.dispatchEvent(event);
            return mark.querySelector('title').textContent;
        })()",
    );
    let expected = expected.as_str().expect("text");
    assert!(expected.starts_with("measured: ") && expected.ends_with(" at 0.3"), "{expected}");
    assert_eq!(browser.text("figure output"), expected);
    assert_eq!(browser.eval("document.querySelectorAll('.mark.near').length"), 1);

    // On a telephone nothing is wider than the screen.
    browser.resize(360);
    browser.until("innerWidth === 360 && document.documentElement.scrollWidth <= 360");
    let picture = browser.screenshot(360, 900, 1.0);
    assert!(picture.len() > 10_000, "{} bytes", picture.len());
    assert_eq!(browser.problems(), [""; 0]);
    let requests = browser.requests();
    assert!(requests.iter().all(|it| it.starts_with("file://")), "{requests:?}");
    let _ = std::fs::remove_dir_all(folder);
}
