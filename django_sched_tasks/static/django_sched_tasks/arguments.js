/*
 * Arguments as typed fields. The two plain JSON fields stay what is sent; the fields made here from a function's
 * signature only write into them, and without this script they are typed in directly.
 *
 * Used by task_form.js and by the page of an execution, through window.schedTasks.
 */
"use strict";

window.schedTasks = window.schedTasks || {};

(() => {
    const BY_POSITION = new Set(["positional_only", "positional_or_keyword"]);

    /** An element with properties, data and children; texts become text nodes. */
    function make(tag, properties = {}, ...children) {
        const element = document.createElement(tag);
        for (const [name, value] of Object.entries(properties)) {
            if (name in element && typeof value !== "string") {
                element[name] = value;
            } else {
                element.setAttribute(name === "className" ? "class" : name, value);
            }
        }
        element.append(...children.filter((child) => child !== null && child !== undefined));
        return element;
    }

    function parsed(text, empty) {
        if (!text.trim()) {
            return empty;
        }
        return JSON.parse(text);
    }

    const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

    /* One maker for each type: it answers the element, read() -> {present, value} or {raw}, and write(value). */

    function plainField(type, attributes, toValue, toText) {
        return () => {
            const element = make("input", { type, ...attributes });
            return {
                element,
                read: () => (element.value === "" ? { present: false } : { present: true, value: toValue(element.value) }),
                write: (value) => {
                    element.value = toText ? toText(value) : value;
                    return element.value !== "";
                },
            };
        };
    }

    function checkboxField(input) {
        const element = make("input", { type: "checkbox" });
        element.checked = input.default === true;
        return {
            element,
            read: () => (input.has_default && element.checked === input.default
                ? { present: false }
                : { present: true, value: element.checked }),
            write: (value) => {
                element.checked = value === true;
                return typeof value === "boolean";
            },
        };
    }

    function choiceField(input, texts) {
        const none = input.has_default
            ? texts.default.replace("%s", labelOf(input, input.default))
            : "---------";
        const element = make("select", {}, make("option", { value: "" }, none));
        input.choices.forEach((choice, index) => {
            element.append(make("option", { value: String(index) }, choice.label));
        });
        return {
            element,
            read: () => (element.value === ""
                ? { present: false }
                : { present: true, value: input.choices[Number(element.value)].value }),
            write: (value) => {
                const index = input.choices.findIndex((choice) => same(choice.value, value));
                element.value = index < 0 ? "" : String(index);
                return index >= 0;
            },
        };
    }

    function labelOf(input, value) {
        const choice = input.choices.find((candidate) => same(candidate.value, value));
        return choice ? choice.label : JSON.stringify(value);
    }

    function jsonField(lenient) {
        return () => {
            const element = make("textarea", { rows: "2", className: "sched-json", spellcheck: "false" });
            return {
                element,
                read: () => {
                    const text = element.value.trim();
                    if (!text) {
                        return { present: false };
                    }
                    try {
                        return { present: true, value: JSON.parse(text) };
                    } catch {
                        return lenient ? { present: true, value: element.value } : { present: true, raw: text };
                    }
                },
                write: (value) => {
                    const bare = lenient && typeof value === "string" && !readsAsJson(value);
                    element.value = bare ? value : JSON.stringify(value);
                    return true;
                },
            };
        };
    }

    function readsAsJson(text) {
        try {
            JSON.parse(text);
            return true;
        } catch {
            return false;
        }
    }

    const FIELDS = {
        text: plainField("text", { className: "vTextField" }, (text) => text),
        integer: plainField("number", { step: "1", className: "vIntegerField" }, Number),
        number: plainField("number", { step: "any", className: "vIntegerField" }, Number),
        date: plainField("date", {}, (text) => text),
        datetime: plainField(
            "datetime-local", { step: "1" },
            (text) => (text.length === 16 ? `${text}:00` : text),
            (value) => String(value).replace(" ", "T"),
        ),
        checkbox: checkboxField,
        choice: choiceField,
        json: jsonField(false),
        any: jsonField(true),
    };

    /** Whether a field of this type can hold the value and give the same one back. */
    function fits(type, field, value) {
        if (type === "text" && typeof value !== "string") {
            return false;
        }
        if ((type === "integer" || type === "number") && typeof value !== "number") {
            return false;
        }
        return field.write(value) && same(field.read().present === false ? value : field.read().value, value);
    }

    let counter = 0;

    /** One labelled field for one input; ``value`` is undefined where none is given. */
    function argumentField(input, value, texts, onChange) {
        let field = FIELDS[input.type](input, texts);
        if (value !== undefined && !fits(input.type, field, value)) {
            field = FIELDS.json();
            field.write(value);
        }
        const id = `sched-argument-${(counter += 1)}`;
        field.element.id = id;
        if (input.has_default && "placeholder" in field.element) {
            field.element.placeholder = texts.default.replace("%s", JSON.stringify(input.default));
        }
        const about = [input.annotation, input.required ? texts.required : ""].filter(Boolean).join(", ");
        const hint = make("span", { className: "sched-argument-about", id: `${id}-about` }, about);
        const problem = make("span", { className: "sched-argument-problem", role: "alert" });
        field.element.setAttribute("aria-describedby", hint.id);
        field.element.required = input.required && input.type !== "checkbox";
        field.element.addEventListener("input", () => {
            problem.textContent = field.read().raw === undefined ? "" : texts.notJson;
            onChange();
        });
        const label = make("label", { for: id }, input.name);
        const row = make("div", { className: "sched-argument" }, label, make("div", {}, field.element, hint, problem));
        return { ...field, input, row };
    }

    /** How args and kwargs spread over the inputs; null where they do not fit the signature. */
    function spread(inputs, args, kwargs, forgiving) {
        if (!Array.isArray(args) || typeof kwargs !== "object" || kwargs === null || Array.isArray(kwargs)) {
            return null;
        }
        const values = new Map();
        const byPosition = inputs.filter((input) => BY_POSITION.has(input.kind));
        const rest = inputs.find((input) => input.kind === "var_positional");
        const named = inputs.find((input) => input.kind === "var_keyword");
        byPosition.slice(0, args.length).forEach((input, index) => values.set(input.name, args[index]));
        if (args.length > byPosition.length) {
            if (rest) {
                values.set(rest.name, args.slice(byPosition.length));
            } else if (!forgiving) {
                return null;
            }
        }
        const further = {};
        for (const [name, value] of Object.entries(kwargs)) {
            const input = inputs.find((candidate) => candidate.name === name
                && (candidate.kind === "positional_or_keyword" || candidate.kind === "keyword_only"));
            if (input && !values.has(name)) {
                values.set(name, value);
            } else if (named && !input) {
                further[name] = value;
            } else if (!forgiving) {
                return null;
            }
        }
        if (named && Object.keys(further).length) {
            values.set(named.name, further);
        }
        return values;
    }

    /** The JSON of args and kwargs for what the fields hold. What is no JSON is put in as typed: the server tells. */
    function collected(fields) {
        const args = [];
        const kwargs = [];
        const text = ({ value, raw }) => (raw === undefined ? JSON.stringify(value) : raw);
        const rest = fields.find(({ input }) => input.kind === "var_positional");
        const further = rest ? rest.read() : { present: false };
        const list = further.present && Array.isArray(further.value) ? further.value : [];
        let open = true;
        for (const field of fields) {
            const { kind, name, has_default: hasDefault, default: byDefault } = field.input;
            const read = field.read();
            if (kind === "positional_only" || (kind === "positional_or_keyword" && list.length)) {
                open = open && (read.present || (list.length > 0 && hasDefault));
                if (open) {
                    args.push(read.present ? text(read) : JSON.stringify(byDefault));
                }
            } else if (kind === "var_keyword") {
                const extra = read.present && read.value && typeof read.value === "object" ? read.value : {};
                kwargs.push(...Object.entries(extra).map(([key, value]) => [key, JSON.stringify(value)]));
            } else if (kind !== "var_positional" && read.present) {
                kwargs.push([name, text(read)]);
            }
        }
        args.push(...list.map((value) => JSON.stringify(value)));
        return {
            args: `[${args.join(", ")}]`,
            kwargs: kwargs.length
                ? `{\n${kwargs.map(([name, value]) => `  ${JSON.stringify(name)}: ${value}`).join(",\n")}\n}`
                : "{}",
        };
    }

    /**
     * Turn two JSON fields into typed ones.
     *
     * ``show(inputs, forgiving)`` draws the fields for a function's inputs (null: unknown, so JSON it is, or nothing
     * yet while the person still chooses). With ``forgiving`` what does not fit the function just chosen is dropped.
     */
    function argumentFields({ args, kwargs, texts }) {
        const box = make("div", { className: "sched-arguments" });
        const toggle = make("button", { type: "button", className: "sched-link" }, texts.asJson);
        const note = make("p", { className: "sched-note" });
        kwargs.before(box);
        kwargs.after(toggle, note);
        const argsRow = args.closest(".form-row") || args.parentElement;
        const label = document.querySelector(`label[for="${kwargs.id}"]`);
        const plainLabel = label && label.textContent;
        let shown = null;

        function plain(isPlain) {
            for (const [field, part] of [[args, argsRow], [kwargs, kwargs]]) {
                const hasErrors = part !== kwargs && part.querySelector(".errorlist");
                part.hidden = !isPlain && !hasErrors;
                field.hidden = !isPlain;
            }
            box.hidden = isPlain;
            if (label) {
                label.textContent = isPlain ? plainLabel : `${texts.arguments}:`;
            }
            toggle.textContent = isPlain ? texts.asFields : texts.asJson;
        }

        function isEmpty() {
            return [args, kwargs].every((plainField) => ["", "[]", "{}"].includes(plainField.value.trim()));
        }

        function show(inputs, forgiving = false) {
            shown = inputs;
            note.textContent = "";
            toggle.hidden = inputs === null;
            if (inputs === null && forgiving && isEmpty()) {
                box.replaceChildren(make("p", { className: "sched-note" }, texts.chooseFirst));
                plain(false);
                return;
            }
            let values = null;
            try {
                values = inputs && spread(inputs, parsed(args.value, []), parsed(kwargs.value, {}), forgiving);
            } catch {
                values = null;
            }
            if (values === null) {
                note.textContent = inputs === null ? "" : texts.unfit;
                plain(true);
                return;
            }
            draw(inputs, values);
            if (forgiving) {
                write();
            }
            plain(false);
        }

        let fields = [];

        function draw(inputs, values) {
            fields = inputs.map((input) => argumentField(described(input), values.get(input.name), texts, write));
            box.replaceChildren(...fields.map((field) => field.row));
            if (!fields.length) {
                box.append(make("p", { className: "sched-note" }, texts.noArguments));
            }
        }

        function described(input) {
            if (input.kind === "var_positional") {
                return { ...input, type: "json", annotation: texts.moreByPosition };
            }
            return input.kind === "var_keyword" ? { ...input, type: "json", annotation: texts.moreByName } : input;
        }

        function write() {
            const written = collected(fields);
            args.value = written.args;
            kwargs.value = written.kwargs;
        }

        toggle.addEventListener("click", () => {
            if (box.hidden) {
                show(shown);
            } else {
                plain(true);
                kwargs.focus();
            }
        });
        return { show };
    }

    Object.assign(window.schedTasks, { make, argumentFields });

    // The page that runs a task with other arguments says at once which function it is.
    const script = document.getElementById("sched-arguments-config");
    if (script) {
        const { inputs, texts } = JSON.parse(script.textContent);
        const [args, kwargs] = ["args", "kwargs"].map((name) => document.getElementById(`id_${name}`));
        argumentFields({ args, kwargs, texts }).show(inputs);
    }
})();
