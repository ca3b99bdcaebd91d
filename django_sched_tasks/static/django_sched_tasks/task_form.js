/*
 * The form of a task, made pleasant: functions to search, arguments as typed fields (arguments.js), triggers as tabs
 * with fields that fit, and what the trigger would do while it is typed. The plain fields stay what is sent; without
 * this script they are filled in directly.
 */
"use strict";

(() => {
    const script = document.getElementById("sched-form-config");
    const func = document.getElementById("id_func");
    if (!script || !func) {
        return;
    }
    const config = JSON.parse(script.textContent);
    const { texts } = config;
    const { make, argumentFields } = window.schedTasks;
    const form = func.form;
    const field = (name) => document.getElementById(`id_${name}`);

    function hideHelp(name) {
        const help = document.getElementById(`id_${name}_helptext`);
        if (help) {
            help.hidden = true;
        }
    }

    /* Functions. */

    /** Made before the functions are there: an element that is moved loses the focus of who types in it. */
    function functionPicker(onChoice) {
        let known = null;
        const id = "sched-functions";
        const list = make("ul", { id, role: "listbox", className: "sched-options", "aria-label": texts.choose });
        const about = make("div", { className: "sched-about", "aria-live": "polite" });
        const frame = make("div", { className: "sched-picker" });
        const hadFocus = document.activeElement === func;
        list.hidden = true;
        func.before(frame);
        frame.append(func, list, about);
        if (hadFocus) {
            func.focus();
        }
        func.placeholder = texts.choose;
        const suggestions = func.getAttribute("list");
        func.removeAttribute("list");
        for (const [name, value] of Object.entries({
            role: "combobox", "aria-controls": id, "aria-expanded": "false", "aria-autocomplete": "list",
        })) {
            func.setAttribute(name, value);
        }
        hideHelp("func");
        let active = -1;

        function matching() {
            const words = func.value.toLowerCase().split(/\s+/).filter(Boolean);
            if (known.some((item) => item.path === func.value)) {
                return known;
            }
            return known.filter((item) => {
                const text = `${item.path}\n${item.doc}`.toLowerCase();
                return words.every((word) => text.includes(word));
            });
        }

        function option(item, index) {
            const element = make(
                "li",
                { role: "option", id: `${id}-${index}`, "aria-selected": String(item.path === func.value) },
                make("strong", {}, item.name), " ", make("code", {}, item.module),
                item.summary ? make("span", {}, item.summary) : null,
            );
            element.addEventListener("mousedown", (event) => {
                event.preventDefault();
                choose(item);
            });
            return element;
        }

        let offered = [];

        function open() {
            if (known === null) {
                return;
            }
            offered = matching();
            list.replaceChildren(...offered.map(option));
            if (!offered.length) {
                list.append(make("li", { role: "option", "aria-disabled": "true" }, texts.noFunctions));
            }
            list.hidden = false;
            func.setAttribute("aria-expanded", "true");
            const isSearching = func.value.trim() && !known.some((item) => item.path === func.value);
            move(isSearching && offered.length ? 0 : -1);
        }

        function close() {
            list.hidden = true;
            func.setAttribute("aria-expanded", "false");
            func.removeAttribute("aria-activedescendant");
        }

        function move(to) {
            active = to;
            [...list.children].forEach((element, index) => element.classList.toggle("sched-active", index === to));
            if (to >= 0) {
                func.setAttribute("aria-activedescendant", `${id}-${to}`);
                list.children[to].scrollIntoView({ block: "nearest" });
            } else {
                func.removeAttribute("aria-activedescendant");
            }
        }

        function choose(item) {
            func.value = item.path;
            close();
            tell();
            onChoice(item, true);
        }

        function tell() {
            const item = (known || []).find((candidate) => candidate.path === func.value.trim());
            about.replaceChildren();
            if (item) {
                about.append(make("code", {}, `${item.name}${item.signature}`));
                if (item.doc) {
                    about.append(make("p", {}, item.doc));
                }
            }
            return item;
        }

        func.addEventListener("focus", open);
        func.addEventListener("click", open);
        func.addEventListener("input", () => {
            if (known === null) {
                return;
            }
            open();
            const typed = tell();
            onChoice(typed || null, true);
        });
        func.addEventListener("blur", close);
        func.addEventListener("keydown", (event) => {
            if (event.key === "Escape" && !list.hidden) {
                event.stopPropagation();
                close();
            } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
                event.preventDefault();
                if (list.hidden) {
                    open();
                }
                if (offered.length) {
                    const step = event.key === "ArrowDown" ? 1 : -1;
                    move((Math.max(active, step < 0 ? 0 : -1) + step + offered.length) % offered.length);
                }
            } else if (event.key === "Enter" && !list.hidden && active >= 0) {
                event.preventDefault();
                choose(offered[active]);
            }
        });
        return {
            fill(functions) {
                known = functions;
                const chosen = tell() || null;
                onChoice(chosen, chosen === null && !func.value);
                if (document.activeElement === func && (func.value === "" || chosen === null)) {
                    open();
                }
            },
            /** The plain field again, with the browser's own suggestions. */
            giveUp() {
                func.setAttribute("list", suggestions);
                func.removeAttribute("role");
            },
        };
    }

    async function helpWithFunctions() {
        const fields = argumentFields({ args: field("args"), kwargs: field("kwargs"), texts });
        const draw = (item, isNew) => fields.show(item && item.inputs, isNew);
        const picker = functionPicker(draw);
        try {
            const answer = await fetch(config.urls.functions, { headers: { Accept: "application/json" } });
            picker.fill((await answer.json()).functions);
        } catch {
            picker.giveUp();
        }
    }

    /* Triggers: one panel for each kind. write() answers the trigger_args, read() whether it can show them. */

    let counter = 0;

    function labelled(text, input, hint) {
        input.id = input.id || `sched-when-${(counter += 1)}`;
        const parts = [make("label", { for: input.id }, text), input];
        if (hint) {
            const about = make("span", { className: "sched-argument-about", id: `${input.id}-about` }, hint);
            input.setAttribute("aria-describedby", about.id);
            parts.push(about);
        }
        return make("div", { className: "sched-field" }, ...parts);
    }

    const textInput = (attributes = {}) => make("input", { type: "text", autocomplete: "off", ...attributes });
    const numberInput = (min, max) => make("input", { type: "number", min: String(min), max: String(max), step: "1" });
    const digits = (value) => /^\d{1,4}$/.test(String(value));
    const two = (value) => String(value).padStart(2, "0");

    function asValue(text) {
        return /^\d{1,9}$/.test(text) ? Number(text) : text;
    }

    function timeOf(args) {
        return digits(args.hour) && digits(args.minute ?? 0) ? `${two(args.hour)}:${two(args.minute ?? 0)}` : null;
    }

    function hourAndMinute(input) {
        const [hour, minute] = input.value.split(":");
        return input.value ? { hour: String(Number(hour)), minute: String(Number(minute)) } : {};
    }

    function only(args, ...names) {
        return Object.keys(args).every((name) => names.includes(name));
    }

    const CRON = ["year", "month", "day", "week", "day_of_week", "hour", "minute", "second"];
    const DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

    function cronPanel() {
        const repeat = make("select", {});
        const at = make("input", { type: "time" });
        const minute = numberInput(0, 59);
        const day = textInput({ size: "6" });
        const boxes = DAYS.map(() => make("input", { type: "checkbox" }));
        const all = Object.fromEntries(CRON.map((name) => [name, textInput({ size: "8" })]));
        const weekdays = make("fieldset", { className: "sched-days" }, make("legend", {}, texts.days),
            ...boxes.map((box, index) => {
                box.setAttribute("aria-label", texts.weekdays[index]);
                return make("label", {}, box, texts.weekdaysShort[index]);
            }));
        const parts = {
            at: labelled(texts.at, at),
            weekdays,
            day: labelled(texts.dayOfMonth, day),
            minute: labelled(texts.atMinute, minute),
            all: make("div", { className: "sched-fields" },
                ...CRON.map((name) => labelled(texts.names[name], all[name]))),
        };
        const MODES = {
            day: [texts.everyDay, ["at"], () => hourAndMinute(at)],
            week: [texts.everyWeek, ["weekdays", "at"], () => {
                const chosen = DAYS.filter((_, index) => boxes[index].checked);
                return { ...(chosen.length ? { day_of_week: chosen.join(",") } : {}), ...hourAndMinute(at) };
            }],
            month: [texts.everyMonth, ["day", "at"], () => ({
                ...(day.value ? { day: day.value } : {}), ...hourAndMinute(at),
            })],
            hour: [texts.everyHour, ["minute"], () => ({ minute: minute.value || "0" })],
            all: [texts.ownFields, ["all"], () => Object.fromEntries(
                CRON.filter((name) => all[name].value.trim()).map((name) => [name, all[name].value.trim()]),
            )],
        };
        for (const [mode, [text]] of Object.entries(MODES)) {
            repeat.append(make("option", { value: mode }, text));
        }
        const element = make("div", { className: "sched-fields" }, labelled(texts.repeat, repeat), ...Object.values(parts));

        function show() {
            for (const [name, part] of Object.entries(parts)) {
                part.hidden = !MODES[repeat.value][1].includes(name);
            }
        }

        function modeOf(args) {
            const time = timeOf(args);
            const days = String(args.day_of_week ?? "").split(",");
            if (time && only(args, "hour", "minute")) {
                return "day";
            }
            if (time && only(args, "day_of_week", "hour", "minute") && days.every((name) => DAYS.includes(name))) {
                return "week";
            }
            if (time && "day" in args && only(args, "day", "hour", "minute")) {
                return "month";
            }
            return digits(args.minute) && only(args, "minute") ? "hour" : "all";
        }

        repeat.addEventListener("change", () => {
            if (repeat.value === "all") {
                const [, , write] = MODES[last];
                for (const [name, value] of Object.entries(write())) {
                    all[name].value = value;
                }
            }
            last = repeat.value;
            show();
        });
        let last = "day";
        show();
        return {
            element,
            names: CRON,
            write: () => MODES[repeat.value][2](),
            read(args) {
                repeat.value = last = modeOf(args);
                at.value = timeOf(args) ?? at.value;
                minute.value = digits(args.minute) ? args.minute : "0";
                day.value = args.day ?? "1";
                const days = String(args.day_of_week ?? "").split(",");
                DAYS.forEach((name, index) => {
                    boxes[index].checked = days.includes(name);
                });
                CRON.forEach((name) => {
                    all[name].value = args[name] ?? "";
                });
                show();
                return Object.values(args).every((value) => ["string", "number"].includes(typeof value));
            },
        };
    }

    function crontabPanel() {
        const expression = textInput({
            className: "sched-expression", spellcheck: "false", placeholder: "*/5 9-17 * * mon-fri",
        });
        return {
            element: make("div", { className: "sched-fields" },
                labelled(texts.expression, expression, texts.expressionHint)),
            names: ["expression"],
            write: () => (expression.value.trim() ? { expression: expression.value.trim() } : {}),
            read(args) {
                expression.value = args.expression ?? "";
                return ["string", "undefined"].includes(typeof args.expression);
            },
        };
    }

    function countsPanel(units, more = {}) {
        const inputs = Object.fromEntries(units.map((unit) => [unit, make("input", {
            type: "number", min: "0", step: "any", className: "sched-count",
        })]));
        const others = Object.values(more);
        return {
            element: make("div", { className: "sched-fields" },
                make("span", { className: "sched-lead" }, texts.every),
                ...units.map((unit) => labelled(texts.names[unit], inputs[unit])),
                ...others.map((other) => other.element)),
            names: [...units, ...others.flatMap((other) => other.names)],
            write: () => Object.assign(
                Object.fromEntries(units.filter((unit) => inputs[unit].value !== "")
                    .map((unit) => [unit, Number(inputs[unit].value)])),
                ...others.map((other) => other.write()),
            ),
            read(args) {
                units.forEach((unit) => {
                    inputs[unit].value = args[unit] ?? "";
                });
                others.forEach((other) => other.read(args));
                return units.every((unit) => args[unit] === undefined || !Number.isNaN(Number(args[unit])));
            },
        };
    }

    function datePanel() {
        const moment = make("input", { type: "datetime-local", step: "1", min: config.now });
        return {
            element: make("div", { className: "sched-fields" }, labelled(texts.runDate, moment)),
            names: ["run_date"],
            write: () => (moment.value ? { run_date: moment.value.replace("T", " ") } : {}),
            read(args) {
                const given = String(args.run_date ?? "").replace(" ", "T");
                moment.value = /^\d{4}-\d\d-\d\d$/.test(given) ? `${given}T00:00` : given;
                return given === "" || moment.value !== "";
            },
        };
    }

    function timePart() {
        const at = make("input", { type: "time", step: "1" });
        return {
            element: labelled(texts.at, at),
            names: ["hour", "minute", "second"],
            write() {
                const [hour, minute, second] = at.value.split(":").map(Number);
                return at.value ? { hour, minute, ...(second ? { second } : {}) } : {};
            },
            read(args) {
                const [hour, minute, second] = [args.hour ?? 0, args.minute ?? 0, args.second ?? 0].map(two);
                at.value = `${hour}:${minute}:${second}`;
            },
        };
    }

    function startPart() {
        const first = make("input", { type: "date" });
        return {
            element: labelled(texts.first, first),
            names: ["start_date"],
            write: () => (first.value ? { start_date: first.value } : {}),
            read(args) {
                first.value = String(args.start_date ?? "").slice(0, 10);
            },
        };
    }

    function solarPanel() {
        const event = make("select", {},
            ...Object.entries(texts.sunEvents).map(([value, text]) => make("option", { value }, text)));
        const inputs = {
            latitude: make("input", { type: "number", min: "-90", max: "90", step: "any" }),
            longitude: make("input", { type: "number", min: "-180", max: "180", step: "any" }),
            offset: numberInput(-86_400, 86_400),
        };
        const names = Object.keys(inputs);
        return {
            element: make("div", { className: "sched-fields" },
                labelled(texts.sunEvent, event),
                ...names.map((name) => labelled(texts[name], inputs[name], texts[`${name}Hint`]))),
            names: ["event", ...names],
            write: () => ({
                event: event.value,
                ...Object.fromEntries(names.filter((name) => inputs[name].value !== "")
                    .map((name) => [name, Number(inputs[name].value)])),
            }),
            read(args) {
                event.value = args.event ?? "sunrise";
                names.forEach((name) => {
                    inputs[name].value = args[name] ?? "";
                });
                return event.value !== ""
                    && names.every((name) => args[name] === undefined || inputs[name].value !== "");
            },
        };
    }

    function eitherPanel() {
        const list = make("textarea", { rows: "8", className: "sched-json vLargeTextField", spellcheck: "false" });
        return {
            element: make("div", { className: "sched-fields" }, labelled(texts.triggersJson, list)),
            names: ["triggers"],
            write() {
                try {
                    return { triggers: JSON.parse(list.value) };
                } catch {
                    return { triggers: list.value };
                }
            },
            read(args) {
                list.value = JSON.stringify(args.triggers ?? [], null, 2);
                return true;
            },
        };
    }

    function afterPanel() {
        const job = textInput({ maxLength: "64" });
        const outcome = make("select", {},
            ...Object.entries(texts.outcomes).map(([value, text]) => make("option", { value }, text)));
        return {
            element: make("div", { className: "sched-fields" },
                labelled(texts.followed, job, texts.followedHint), labelled(texts.outcome, outcome)),
            names: ["job_id", "outcome"],
            write: () => ({ ...(job.value.trim() ? { job_id: job.value.trim() } : {}), outcome: outcome.value }),
            read(args) {
                job.value = args.job_id ?? "";
                outcome.value = args.outcome ?? "succeeded";
                return ["string", "undefined"].includes(typeof args.job_id) && outcome.value !== "";
            },
        };
    }

    const PANELS = {
        cron: cronPanel,
        crontab: crontabPanel,
        interval: () => countsPanel(["weeks", "days", "hours", "minutes", "seconds"]),
        date: datePanel,
        calendarinterval: () => countsPanel(["years", "months", "weeks", "days"], { at: timePart(), first: startPart() }),
        solar: solarPanel,
        or: eitherPanel,
        after: afterPanel,
    };
    const FIRST = {
        cron: { hour: "8", minute: "0" },
        interval: { minutes: 5 },
        calendarinterval: { days: 1, hour: 8, minute: 0 },
    };

    /** What most kinds take besides: the span in which they fire, and jitter. Anything else is kept as it was. */
    function limitsPart(kind, taken) {
        const all = {
            start_date: [texts.startDate, textInput(), texts.isoHint],
            end_date: [texts.endDate, textInput(), texts.isoHint],
            jitter: [texts.jitter, numberInput(0, 31_622_400), texts.jitterHint],
        };
        const names = Object.keys(all).filter((name) => kind.arguments.includes(name) && !taken.includes(name));
        const element = make("details", { className: "sched-limits" }, make("summary", {}, texts.limits),
            make("div", { className: "sched-fields" }, ...names.map((name) => labelled(...all[name]))));
        element.hidden = !names.length;
        let kept = {};
        return {
            element,
            write: () => ({
                ...kept,
                ...Object.fromEntries(names.filter((name) => all[name][1].value.trim())
                    .map((name) => [name, asValue(all[name][1].value.trim())])),
            }),
            read(args) {
                kept = Object.fromEntries(Object.entries(args)
                    .filter(([name]) => !names.includes(name) && !taken.includes(name)));
                names.forEach((name) => {
                    all[name][1].value = args[name] ?? "";
                });
                element.open = names.some((name) => args[name] !== undefined);
                return names.every((name) => ["string", "number", "undefined"].includes(typeof args[name]));
            },
        };
    }

    function panelOf(kind) {
        const own = PANELS[kind.name]();
        const limits = limitsPart(kind, own.names);
        return {
            element: make("div", {}, own.element, limits.element),
            write: () => ({ ...own.write(), ...limits.write() }),
            read(args) {
                const mine = Object.fromEntries(Object.entries(args).filter(([name]) => own.names.includes(name)));
                return [own.read(mine), limits.read(args)].every(Boolean);
            },
        };
    }

    function helpWithTriggers(onChange) {
        const trigger = field("trigger");
        const plain = field("trigger_args");
        const kinds = config.kinds.filter((kind) => kind.name in PANELS);
        if (!kinds.some((kind) => kind.name === trigger.value)) {
            return; // a kind from elsewhere: its JSON is all that can be shown
        }
        const panels = Object.fromEntries(kinds.map((kind) => [kind.name, panelOf(kind)]));
        const tabs = make("div", { role: "tablist", className: "sched-tabs" });
        const hint = make("p", { className: "sched-note" });
        const body = make("div", { role: "tabpanel", className: "sched-panel", id: "sched-panel" });
        const toggle = make("button", { type: "button", className: "sched-link" }, texts.asJson);
        const label = document.querySelector('label[for="id_trigger"]');
        if (label) {
            label.id = label.id || "sched-trigger-label";
            tabs.setAttribute("aria-labelledby", label.id);
        }
        trigger.before(tabs, hint);
        trigger.hidden = true;
        plain.before(body);
        plain.after(toggle);
        hideHelp("trigger_args");
        const started = new Set();

        const buttons = kinds.map((kind) => {
            const button = make("button", {
                type: "button", role: "tab", id: `sched-tab-${kind.name}`, "aria-controls": body.id,
            }, kind.label);
            button.addEventListener("click", () => pick(kind.name, true));
            tabs.append(button);
            return button;
        });
        tabs.addEventListener("keydown", (event) => {
            const steps = { ArrowRight: 1, ArrowLeft: -1 };
            if (event.key in steps) {
                event.preventDefault();
                const now = kinds.findIndex((kind) => kind.name === trigger.value);
                const next = (now + steps[event.key] + kinds.length) % kinds.length;
                pick(kinds[next].name, true);
                buttons[next].focus();
            }
        });

        function pick(name, byHand) {
            trigger.value = name;
            kinds.forEach((kind, index) => {
                buttons[index].setAttribute("aria-selected", String(kind.name === name));
                buttons[index].tabIndex = kind.name === name ? 0 : -1;
            });
            hint.textContent = texts.kindHints[name] || "";
            body.setAttribute("aria-labelledby", `sched-tab-${name}`);
            body.replaceChildren(panels[name].element);
            if (byHand) {
                if (!started.has(name)) {
                    panels[name].read(FIRST[name] || (name === "or" ? example(name) : {}));
                    started.add(name);
                }
                write();
                asFields(true);
            }
        }

        function example(name) {
            return kinds.find((kind) => kind.name === name).example;
        }

        function write() {
            plain.value = JSON.stringify(panels[trigger.value].write(), null, 2);
            onChange();
        }

        function asFields(wanted) {
            plain.hidden = wanted;
            body.hidden = !wanted;
            toggle.textContent = wanted ? texts.asJson : texts.asFields;
        }

        function readPlain() {
            try {
                const args = JSON.parse(plain.value || "{}");
                started.add(trigger.value);
                return typeof args === "object" && args !== null && panels[trigger.value].read(args);
            } catch {
                return false;
            }
        }

        body.addEventListener("input", write);
        body.addEventListener("change", write);
        plain.addEventListener("input", onChange);
        toggle.addEventListener("click", () => {
            if (body.hidden) {
                asFields(readPlain());
            } else {
                asFields(false);
                plain.focus();
            }
        });
        const untouched = config.task === null && ["", "{}"].includes(plain.value.trim())
            && !form.querySelector(".errorlist");
        pick(trigger.value, untouched);
        if (!untouched) {
            asFields(readPlain());
        }
    }

    /* What it would do. */

    function previewBox() {
        const box = make("section", { className: "sched-preview", "aria-live": "polite", "aria-label": texts.wouldFire });
        const timezone = field("timezone");
        (timezone.closest(".form-row") || timezone.parentElement).after(box);
        const stored = document.querySelector(".form-row.field-next_fire_times");
        if (stored) {
            stored.hidden = true; // the box tells them, and of what is typed
        }
        return box;
    }

    function showPreview(box, answer) {
        if (answer.errors) {
            const lines = [...new Set(Object.values(answer.errors).flat())];
            box.classList.add("sched-wrong");
            box.replaceChildren(...lines.map((line) => make("p", {}, line)));
            return;
        }
        box.classList.remove("sched-wrong");
        box.replaceChildren(make("p", { className: "sched-words" }, answer.description));
        if (!answer.times.length) { // as of a task that runs after another
            return;
        }
        box.append(
            make("h3", {}, texts.nextTimes.replace("%s", answer.zone)),
            make("ol", { className: "sched-times" }, ...answer.times.map((time) => make("li", {},
                make("time", { datetime: time.iso }, time.text), " ",
                make("small", {}, `${time.weekday} ${time.zone} · ${time.until}`),
                time.note ? make("span", { className: "sched-clock" }, time.note) : null))),
        );
    }

    function helpWithPreview() {
        const box = previewBox();
        const policies = document.getElementById("sched-policies");
        let timer = null;
        let latest = 0;

        async function ask() {
            const mine = (latest += 1);
            const data = new FormData(form);
            data.append("_task", config.task ?? "");
            let answer;
            try {
                const response = await fetch(config.urls.preview, { method: "POST", body: data });
                answer = await response.json();
            } catch {
                answer = { errors: { all: [texts.unreachable] }, policies: [] };
            }
            if (mine !== latest) {
                return; // typed on meanwhile
            }
            showPreview(box, answer);
            if (policies && answer.policies.length) {
                policies.replaceChildren(...answer.policies.map((text) => make("li", {}, text)));
            }
        }

        const soon = () => {
            clearTimeout(timer);
            timer = setTimeout(ask, 250);
        };
        form.addEventListener("input", (event) => {
            if (event.target.closest(".sched-picker, .sched-arguments") === null) {
                soon();
            }
        });
        form.addEventListener("change", soon);
        timer = setTimeout(ask, 0); // once the triggers have their fields
        return soon;
    }

    helpWithTriggers(helpWithPreview());
    helpWithFunctions();
})();
