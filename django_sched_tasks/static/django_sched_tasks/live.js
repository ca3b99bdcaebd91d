/*
 * Parts of a page that show themselves anew: an execution while it is open, the overview all the time.
 *
 * An element with data-sched-live (an address that answers JSON) and data-sched-every (milliseconds) starts it. The
 * answer's "parts" are HTML by id, put in only where it differs from what was there, so that nothing flickers; its
 * "output" grows a text; "charts" go to overview.js; another "state" than data-sched-state loads the page anew. A hidden
 * tab asks for nothing.
 */
"use strict";

(() => {
    const root = document.querySelector("[data-sched-live]");
    if (!root) {
        return;
    }
    const every = Number(root.dataset.schedEvery);
    const url = root.dataset.schedLive;
    const standing = document.getElementById("sched-standing");
    let timer = null;
    let asking = false;

    function put(id, html) {
        const element = document.getElementById(id);
        const fresh = document.createElement("template");
        fresh.innerHTML = html;
        if (!element || fresh.innerHTML === element.innerHTML) {
            return;
        }
        const focused = element.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
        const open = [...element.querySelectorAll("details[open]")].map((details) => details.id);
        element.replaceChildren(fresh.content);
        open.forEach((id_) => {
            const details = id_ && document.getElementById(id_);
            if (details) {
                details.open = true;
            }
        });
        if (focused !== null) {
            const again = [...element.querySelectorAll("a")].find((link) => link.getAttribute("href") === focused);
            if (again) {
                again.focus();
            }
        }
    }

    /** Append what is new, so that a selection stays, and follow the end for those who look at it. */
    function grow(text) {
        const output = document.getElementById("sched-output");
        if (!output || output.textContent === text) {
            return;
        }
        const atEnd = output.scrollTop + output.clientHeight >= output.scrollHeight - 4;
        const known = output.textContent;
        if (text.startsWith(known)) {
            output.append(text.slice(known.length));
        } else {
            output.textContent = text;
        }
        if (output.nextElementSibling) {
            output.nextElementSibling.remove();
        }
        if (atEnd) {
            output.scrollTop = output.scrollHeight;
        }
    }

    function show(answer) {
        Object.entries(answer.parts || {}).forEach(([id, html]) => put(id, html));
        if (answer.output !== undefined) {
            grow(answer.output);
        }
        if (answer.charts) {
            document.dispatchEvent(new CustomEvent("sched:charts", { detail: answer.charts }));
        }
        if (answer.state !== undefined && answer.state !== root.dataset.schedState) {
            window.location.reload(); // it has started or ended: other buttons, and what it left
            return false;
        }
        return true;
    }

    async function look() {
        if (asking || document.hidden) {
            return;
        }
        asking = true;
        let goesOn = true;
        try {
            const response = await fetch(url, { headers: { Accept: "application/json" } });
            if (!response.ok || response.redirected) {
                throw new Error(String(response.status));
            }
            goesOn = show(await response.json());
            root.classList.remove("sched-stale");
        } catch {
            root.classList.add("sched-stale"); // the server is away, or the reader is logged out: try again later
        }
        if (standing) {
            standing.hidden = !root.classList.contains("sched-stale");
        }
        asking = false;
        if (goesOn) {
            start();
        }
    }

    function start() {
        clearTimeout(timer);
        if (!document.hidden) {
            timer = setTimeout(look, every);
        }
    }

    document.addEventListener("visibilitychange", () => {
        clearTimeout(timer);
        if (!document.hidden) {
            look();
        }
    });
    start();
})();
