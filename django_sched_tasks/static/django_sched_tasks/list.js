/*
 * The rows of the list of tasks share one form, whose first button runs the chosen action. In a row's own note, Enter
 * means the row's button; Escape, or a click elsewhere, closes the note again.
 */
"use strict";

(() => {
    const menus = () => document.querySelectorAll("details.sched-menu[open]");

    document.addEventListener("keydown", (event) => {
        const menu = event.target.closest ? event.target.closest("details.sched-menu") : null;
        if (!menu) {
            return;
        }
        if (event.key === "Enter" && event.target.matches("input")) {
            event.preventDefault();
            menu.querySelector("button").click();
        } else if (event.key === "Escape" && menu.open) {
            menu.open = false;
            menu.querySelector("summary").focus();
        }
    });
    document.addEventListener("click", (event) => {
        menus().forEach((menu) => {
            if (!menu.contains(event.target)) {
                menu.open = false;
            }
        });
    });
    document.addEventListener("toggle", (event) => {
        if (event.target.matches("details.sched-menu[open]")) {
            event.target.querySelector("input").focus();
        }
    }, true);
})();
