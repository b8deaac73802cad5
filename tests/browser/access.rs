//! The page for those who do not use a mouse, a large screen, or their eyes.

use crate::devtools::Browser;
use crate::{assert_quiet, cluster};

/// The texts whose contrast to what is behind them is below 4.5, by WCAG 2.
const FAINT: &str = r"(() => {
  const parse = color => (color.match(/[\d.]+/g) || []).map(Number);
  const channel = value => { const v = value / 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; };
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const behind = node => {
    for (let it = node; it; it = it.parentElement) {
      const style = getComputedStyle(it), image = style.backgroundImage.match(/rgba?\([^)]*\)/);
      const color = image ? parse(image[0]) : parse(style.backgroundColor);
      if (color.length === 3 || color[3] > 0.99) return color;
    }
    return parse(getComputedStyle(document.documentElement).backgroundColor);
  };
  const faint = [];
  for (const node of document.body.querySelectorAll('*')) {
    const own = [...node.childNodes].some(it => it.nodeType === 3 && it.textContent.trim());
    if (!own || !node.checkVisibility() || node.closest('.sr')) continue;
    const [one, other] = [light(parse(getComputedStyle(node).color)), light(behind(node))];
    const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    if (contrast < 4.5) faint.push(`${node.textContent.trim().slice(0, 40)}: ${contrast.toFixed(2)}`);
  }
  return faint;
})()";

#[test]
#[ignore = "needs Debian's chromium"]
fn every_text_stands_out_in_both_themes_and_nothing_is_cut_off_on_a_narrow_screen() {
    let (one, others) = cluster(&["one", "two", "a-member-with-quite-a-long-name.rack-17.example"]);
    others[0].kill();
    for scheme in ["light", "dark"] {
        let mut browser = Browser::start(1280, scheme);
        browser.open(&one.url());
        browser.until("document.querySelectorAll('#rows tr').length >= 3");
        for width in [1280, 768, 360] {
            browser.resize(width);
            browser.until(&format!("innerWidth === {width}"));
            let faint = browser.eval(FAINT);
            assert_eq!(faint, serde_json::json!([]), "{scheme} at {width}");
            let over = "document.documentElement.scrollWidth - innerWidth";
            assert_eq!(browser.eval(over), 0, "{scheme} at {width}");
        }
        assert_quiet(&browser, &[&one]);
    }
}

#[test]
#[ignore = "needs Debian's chromium"]
fn a_screen_reader_finds_its_way_at_any_width() {
    let (one, _others) = cluster(&["one", "two", "three"]);
    let mut browser = Browser::start(1280, "light");
    browser.open(&one.url());
    browser.until("document.querySelectorAll('#rows tr').length === 3");
    for width in [1280, 360] {
        browser.resize(width);
        browser.until(&format!("innerWidth === {width}"));
        let tree = browser.accessible();
        let count = |role: &str| tree.iter().filter(|(it, _)| it == role).count();
        let has = |role: &str, name: &str| {
            assert!(
                tree.iter().any(|(is, called)| is == role && called == name),
                "no {role} {name:?} at {width} in {tree:?}"
            );
        };
        has("heading", "one");
        has("heading", "Members");
        has("table", "Members");
        has("searchbox", "Filter members");
        has("rowheader", "one this node");
        has("log", "Events, the newest first");
        has("button", "Theme: auto");
        assert_eq!(count("columnheader"), 8, "{width}: {tree:?}");
        assert!(count("row") >= 4 && count("cell") >= 3 * 5, "{width}: {tree:?}");
        let plots = tree.iter().filter(|(role, name)| role == "image" && name.contains(" now, "));
        assert_eq!(plots.count(), 8, "{width}: {tree:?}");
        // No control is without a name.
        for (role, name) in &tree {
            let control = ["button", "combobox", "searchbox", "checkbox", "link"];
            assert!(!control.contains(&role.as_str()) || !name.is_empty(), "a {role} without name");
        }
    }
}

#[test]
#[ignore = "needs Debian's chromium"]
fn everything_is_reached_by_keyboard() {
    let (one, _others) = cluster(&["one", "two"]);
    let mut browser = Browser::start(1280, "light");
    browser.open(&one.url());
    browser.until("document.querySelectorAll('#rows tr').length === 2");
    let mut reached = Vec::new();
    for _ in 0..40 {
        browser.press("Tab", 9);
        let here = browser.eval("document.activeElement.id || document.activeElement.textContent");
        reached.push(here.as_str().unwrap_or_default().to_owned());
        // The focus is seen.
        let outline = browser.eval("getComputedStyle(document.activeElement).outlineStyle");
        let at_rest = browser.eval("document.activeElement === document.body");
        assert!(at_rest == true || outline == "solid", "{reached:?}: {outline}");
        // Once around, the focus comes back to where it began.
        let times = reached.iter().filter(|it| *it == "Address").count();
        if times == 1 && reached.last().is_some_and(|last| last == "Address") {
            browser.press("Enter", 13);
        }
    }
    for wanted in [
        "Skip to the members",
        "theme",
        "chip-alive",
        "coarse",
        "filter",
        "Name",
        "Metadata",
        "kinds",
        "events",
        "metrics",
    ] {
        assert!(reached.iter().any(|it| it == wanted), "{wanted} is not among {reached:?}");
    }
    assert_eq!(browser.eval("document.querySelector('#by-addr').ariaSort"), "ascending");
    browser.eval("document.querySelector('#theme').focus()");
    browser.press("Enter", 13);
    assert_eq!(browser.text("#theme"), "Theme: light");
    browser.press("Enter", 13);
    assert_eq!(browser.eval("getComputedStyle(document.documentElement).colorScheme"), "dark");
    assert_quiet(&browser, &[&one]);
}
