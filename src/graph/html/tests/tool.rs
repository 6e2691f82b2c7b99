//! The report as a tool: search, zoom, the log as text, links to records, keys.

use serde_json::json;

use super::browser::{drive, drive_view, View};
use super::trial::{trial, CAUSE, LAST_WORDS};

fn page() -> String {
    trial().graph().to_html()
}

#[test]
fn the_search_takes_keys_words_and_phrases() {
    let scenario = r##"
        const seen = {};
        for (const query of ["process.exit.code=1", "op.label=EU-17", "status:failed", "status:timed-out", "status:recovered", "service:runner status:running",
            "level:warn", "level:warning gone", "status:failed insufficient", "status:ok insufficient", "attempt=2 status:failed", "log.iostream=stderr", "log.iostream=stderr main.tf",
            'process.command_args="eu-05 one"', 'link.reason="x y"', "nokey=1", "status:404", "service:unknown", "main.tf:12", "releasing state lock 29"]) {
            await type(query);
            seen[query] = at("#hits").textContent;
        }
        return seen;
    "##;
    let Some(seen) = drive(&page(), scenario) else { return };
    let expected = json!({
        "process.exit.code=1": "1 hit",
        "op.label=EU-17": "1 hit",
        // Whatever failed, however: two that ended the job, three recovered from, and what handed it on.
        "status:failed": "7 hits",
        "status:timed-out": "1 hit",
        "status:recovered": "3 hits",
        "service:runner status:running": "2 hits",
        // Records of the level.
        "level:warn": "1 hit",
        "level:warning gone": "1 hit",
        "status:failed insufficient": "1 hit",
        "status:ok insufficient": "no hits",
        "attempt=2 status:failed": "1 hit",
        "log.iostream=stderr": "5 hits",
        "log.iostream=stderr main.tf": "1 hit",
        "process.command_args=\"eu-05 one\"": "1 hit",
        // What means nothing here is text.
        "link.reason=\"x y\"": "no hits",
        "nokey=1": "no hits",
        "status:404": "no hits",
        "service:unknown": "no hits",
        "main.tf:12": "1 hit",
        "releasing state lock 29": "1 hit",
    });
    assert_eq!(seen, expected, "{seen:#}");
}

#[test]
fn a_search_marks_its_hits_in_the_span_that_is_already_selected() {
    let scenario = r##"
        const before = texts("#about mark, #records mark");
        await type("insufficient");
        const words = texts("#about mark, #records mark"), scrolled = isOnScreen(at('#records [aria-current="true"] .line'));
        await type("process.exit.code=1");
        const value = texts("#about .attributes mark");
        await type("");
        return { before, words, scrolled, value, after: texts("mark") };
    "##;
    let Some(seen) = drive(&page(), scenario) else { return };
    // In the last lines of stderr, and in the record.
    assert_eq!(seen["words"], json!(["Insufficient", "Insufficient"]));
    assert_eq!((&seen["before"], &seen["after"], &seen["scrolled"]), (&json!([]), &json!([]), &json!(true)));
    assert_eq!(seen["value"], json!(["1"]));
}

const DRAG: &str = r##"
    const drag = (found, from, to) => {
        const box = at("#ticks").getBoundingClientRect(), y = found.getBoundingClientRect().top + 5;
        const send = (type, share, target) => target.dispatchEvent(new PointerEvent(type, { clientX: box.left + share * box.width, clientY: y,
            button: 0, buttons: type === "pointerup" ? 0 : 1, bubbles: true, cancelable: true, pointerType: "mouse" }));
        send("pointerdown", from, found);
        send("pointermove", (from + to) / 2, found);
        send("pointermove", to, found);
        const shade = at("#drag").hidden ? 0 : at("#drag").getBoundingClientRect().width / box.width;
        send("pointerup", to, found);
        found.click();
        return Math.round(shade * 100);
    };
    const whole = () => [at("#whole").hidden, state.zoom?.map((at) => Math.round((at - rangeOf({ ...nodes[state.selected] })[0]) / 1e9)) ?? null];
    const range = () => rangeOf(nodes[state.selected]).map((at) => Math.round((at - baseOf(nodes[state.selected])) / 1e9));
"##;

#[test]
fn dragging_along_the_axis_zooms_and_there_is_a_way_out() {
    let scenario = format!(
        r##"{DRAG}
        change("#job", "1");
        const seen = {{ first: [range(), at("#whole").hidden, texts(".tick").at(0)] }};
        seen.shade = drag(at("#ticks"), 0.2, 0.6);
        seen.dragged = [range(), at("#whole").hidden, texts(".tick")[0]];
        await wait();
        row("step.fetch").click();
        seen.beyond = [chosen(), row("git fetch").querySelector(".beyond")?.textContent ?? null];
        at("#whole").click();
        seen.out = [range(), at("#whole").hidden];
        // A press without a movement is a click; the click after a drag is none.
        drag(row("job.apply (apply-7)").querySelector(".lane"), 0.5, 0.501);
        await wait();
        seen.clicked = [chosen(), range()];
        drag(row("step.apply").querySelector(".lane"), 0.9, 0.1);
        seen.lane = [chosen(), range()];
        await wait();
        at("#tree").focus();
        press("Escape");
        seen.escaped = range();
        return seen;"##
    );
    let Some(seen) = drive(&page(), &scenario) else { return };
    assert_eq!(seen["first"], json!([[0, 90], true, "0"]));
    assert_eq!(seen["shade"], 40);
    assert_eq!(seen["dragged"], json!([[18, 54], false, "30 s"]));
    assert_eq!(seen["beyond"], json!(["step.fetch", "‹"]));
    assert_eq!(seen["out"], json!([[0, 90], true]));
    assert_eq!(seen["clicked"], json!(["job.apply (apply-7)", [0, 90]]));
    assert_eq!(seen["lane"], json!(["job.apply (apply-7)", [9, 81]]));
    assert_eq!(seen["escaped"], json!([0, 90]));
}

#[test]
fn the_axis_is_that_of_the_span_or_of_its_parent() {
    let scenario = format!(
        r##"{DRAG}
        at("#tree").focus();
        const seen = {{ buttons: texts("#about .zooms button"), job: at("#job").value }};
        press("z");
        seen.own = [range(), at("#job").value];
        press("z");
        seen.out = range();
        press("p");
        seen.parent = range();
        press("Escape");
        press("+");
        seen.closer = range();
        press("-"); press("-");
        seen.wide = [range(), at("#whole").hidden];
        texts("#about .zooms button").forEach((_, index) => document.querySelectorAll("#about .zooms button")[index].click());
        seen.clicked = range();
        return seen;"##
    );
    let Some(seen) = drive(&page(), &scenario) else { return };
    assert_eq!(seen["buttons"], json!(["Zoom", "Zoom to parent"]));
    // A zoomed axis is that of one job.
    assert_eq!((&seen["job"], &seen["own"]), (&json!(""), &json!([[10, 50], "1"])));
    assert_eq!(seen["out"], json!([0, 90]));
    assert_eq!(seen["parent"], json!([9, 90]));
    assert_eq!(seen["closer"], json!([7, 52]));
    assert_eq!(seen["wide"], json!([[0, 90], true]));
    assert_eq!(seen["clicked"], json!([9, 90]));
}

#[test]
fn ancestors_that_have_scrolled_away_are_named_above_the_tree() {
    let scenario = r##"
        at("#expand").click();
        scroll(at("#tree"), 0);
        const top = at("#crumbs").textContent;
        at("#tree").scrollTop = tree.list.offset(tree.at.get(spans.findIndex((span) => span.title.includes("prod-eu-05"))));
        at("#tree").dispatchEvent(new Event("scroll"));
        const crumbs = texts("#crumbs .crumb"), height = at(".axis").offsetHeight;
        at("#crumbs .crumb:nth-child(2)").click();
        return { top, crumbs, height, gone: chosen(), focus: document.activeElement.id };
    "##;
    let Some(seen) = drive_view(&page(), scenario, &View { size: (1400, 500), ..View::default() }) else {
        return;
    };
    assert_eq!(seen["top"], "Span");
    assert_eq!(seen["crumbs"], json!(["job.apply (apply-7)", "step.apply", "terraform apply ×26"]));
    assert_eq!(
        (&seen["gone"], &seen["focus"], &seen["height"]),
        (&json!("step.apply"), &json!("tree"), &json!(26))
    );
}

#[test]
fn the_log_can_be_copied_and_saved_as_text() {
    let scenario = r##"
        const copied = [], saved = [];
        navigator.clipboard.writeText = async (text) => void copied.push(text);
        URL.createObjectURL = (blob) => (saved.push(blob), "blob:x");
        HTMLAnchorElement.prototype.click = function () { saved.push(this.download); };
        change("#stream", "stderr");
        at("#copy").click();
        await wait();
        const said = at("#copy").textContent;
        at("#records").focus();
        press("y");
        press("d");
        const file = await saved[0].text();
        // Where the clipboard is not available to the page, the text is selected and copied.
        navigator.clipboard.writeText = () => Promise.reject(new Error("denied"));
        document.execCommand = (command) => (copied.push(command + " " + document.activeElement.value.length), true);
        press("y");
        await wait();
        row("git clone").click();
        return { copied, said, file, name: saved[1], type: saved[0].type, none: [at("#copy").disabled, at("#download").disabled], violations };
    "##;
    let Some(seen) = drive(&page(), scenario) else { return };
    let text = format!(
        "2026-01-02 04:04:53.880250000 UTC INFO stderr {LAST_WORDS}\n\
         2026-01-02 04:04:53.881250000 UTC INFO stderr   with aws_instance.web, on main.tf line 12\n"
    );
    assert_eq!(seen["copied"], json!([text, text, format!("copy {}", text.len())]));
    assert_eq!(seen["file"], text);
    assert_eq!((&seen["said"], &seen["name"]), (&json!("Copied"), &json!("terraform-apply-prod-eu-17.log")));
    assert_eq!(seen["type"], "text/plain;charset=utf-8");
    assert_eq!((&seen["none"], &seen["violations"]), (&json!([true, true]), &json!([])));
}

#[test]
fn long_lines_can_be_wrapped() {
    let mut fixture = super::fixture::Fixture::default();
    let job = fixture.add(0, 0, 9, super::fixture::span("job.build"));
    for line in 0..200 {
        fixture.log(job, line, crate::graph::RecordLevel::Info, &format!("{line} {}", "long ".repeat(60)));
    }
    let scenario = r##"
        const height = () => at("#records .record").offsetHeight, cut = at("#records .body").scrollWidth > at("#records .body").clientWidth;
        const one = height();
        at("#wrap").click();
        const more = height(), wide = at("#records .body").scrollWidth > at("#records .body").clientWidth;
        const boxes = [...document.querySelectorAll("#records .record")].map((found) => found.getBoundingClientRect()).sort((a, b) => a.top - b.top);
        const overlaps = boxes.some((box, index) => index > 0 && box.top < boxes[index - 1].bottom - 1);
        at("#records").focus();
        press("End");
        const end = at('#records [aria-selected="true"]');
        const last = [end.querySelector(".body").textContent.slice(0, 3), isOnScreen(end)];
        press("w");
        return { cut, one, isTaller: more > 2 * one, wide, overlaps, last, again: at("#wrap").getAttribute("aria-pressed") };
    "##;
    let Some(seen) = drive(&fixture.graph().to_html(), scenario) else { return };
    let expected = json!({"cut": true, "one": 26, "isTaller": true, "wide": false, "overlaps": false, "last": ["199", true], "again": "false"});
    assert_eq!(seen, expected);
}

#[test]
fn an_address_leads_to_a_record_which_can_be_copied() {
    let scenario = r##"
        const first = [chosen(), texts('#records [aria-selected="true"] .body'), isOnScreen(at('#records [aria-selected="true"] .line'))];
        const copied = [];
        navigator.clipboard.writeText = async (text) => void copied.push(text);
        at("#records .copy-link").click();
        await wait();
        choose(6);
        location.hash = "#span=0000000000000005&record=3";
        await wait();
        return { first, copied: copied[0].split("#")[1], isOwn: copied[0].startsWith(location.href.split("#")[0]),
            then: [chosen(), texts('#records [aria-selected="true"] .body')], address: location.hash };
    "##;
    let view = View { hash: "#span=0000000000000005&record=40", ..View::default() };
    let Some(seen) = drive_view(&page(), scenario, &view) else { return };
    assert_eq!(seen["first"], json!(["terraform plan", ["aws_instance.web[40]: Refreshing state..."], true]));
    assert_eq!((&seen["copied"], &seen["isOwn"]), (&json!("span=0000000000000005&record=40"), &json!(true)));
    // Though a filter would hide it.
    assert_eq!(seen["then"], json!(["terraform plan", ["aws_instance.web[3]: Refreshing state..."]]));
    assert_eq!(seen["address"], "#span=0000000000000005&record=3");
}

#[test]
fn both_splitters_move_with_the_arrow_keys() {
    let scenario = r##"
        const seen = {};
        for (const id of ["split-name", "split-main"]) {
            const handle = at("#" + id);
            handle.focus();
            const now = () => [Number(handle.getAttribute("aria-valuenow")), Math.round(handle.getBoundingClientRect().left)];
            const before = now();
            press("ArrowLeft"); press("ArrowLeft");
            const left = now();
            press("ArrowRight");
            seen[id] = { isFocused: document.activeElement === handle, role: handle.getAttribute("role"), left: [left[0] < before[0], before[1] - left[1]],
                right: now()[1] - left[1], chosen: chosen() };
        }
        return seen;
    "##;
    let Some(seen) = drive(&page(), scenario) else { return };
    for id in ["split-name", "split-main"] {
        let moved =
            json!({"isFocused": true, "role": "separator", "left": [true, 48], "right": 24, "chosen": CAUSE});
        assert_eq!(seen[id], moved, "{id}");
    }
}

#[test]
fn the_keyboard_reaches_everything_and_the_help_names_every_key() {
    let scenario = r##"
        const unreachable = [...document.querySelectorAll("button, select, input, summary, [tabindex]")].filter((found) => found.checkVisibility() && found.tabIndex < 0);
        const keys = new Set(texts("#help kbd"));
        return { unreachable: unreachable.map((found) => found.id), unnamed: Object.keys(KEYS).filter((key) => !keys.has(key)), unknown: KEYS[" "] ?? null };
    "##;
    let Some(seen) = drive(&page(), scenario) else { return };
    // What a press of Enter in the tree focuses when there are no records.
    assert_eq!(seen, json!({"unreachable": ["about"], "unnamed": [], "unknown": null}));
}
