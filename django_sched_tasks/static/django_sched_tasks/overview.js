/*
 * The charts of the overview, drawn with uPlot in the colours of the admin's theme. The page brings the first data;
 * live.js brings new ones. Everything drawn here also stands in a table below the charts.
 */
"use strict";

(() => {
    const script = document.getElementById("sched-charts");
    if (!script || !window.uPlot) {
        return;
    }
    const { texts, data: firstData } = JSON.parse(script.textContent);
    let latest = firstData;
    const HEIGHT = 180;
    const HOUR = 3600;

    function colour(name) {
        return getComputedStyle(document.getElementById("sched-chart-outcomes")).getPropertyValue(name).trim();
    }

    function two(value) {
        return String(value).padStart(2, "0");
    }

    function seconds(value) {
        if (value === null || value === undefined) {
            return "–";
        }
        if (value < 1) {
            return texts.milliseconds.replace("%d", Math.round(value * 1000));
        }
        return value < 120
            ? texts.seconds.replace("%.1f", value.toFixed(1))
            : texts.minutes.replace("%d", Math.round(value / 60));
    }

    function axes(format) {
        const stroke = colour("--sched-soft");
        const grid = { stroke: colour("--sched-hairline"), width: 1 };
        const hours = (_, splits) => splits.map((split) => {
            const moment = new Date(split * 1000);
            return `${two(moment.getHours())}:${two(moment.getMinutes())}`;
        });
        return [
            { stroke, grid, ticks: grid, values: hours, space: 60 },
            { stroke, grid, ticks: grid, size: 64, values: (_, splits) => splits.map(format) },
        ];
    }

    function base(element, format) {
        return {
            width: element.clientWidth || 300,
            height: HEIGHT,
            cursor: { y: false },
            legend: { live: true },
            axes: axes(format),
            scales: { x: { range: (_, low, high) => [low - HOUR / 2, high + HOUR] } },
        };
    }

    const hourSeries = () => ({
        label: texts.time,
        value: (_, split) => {
            if (split === null || split === undefined) {
                return "–";
            }
            const moment = new Date(split * 1000);
            return `${two(moment.getHours())}:${two(moment.getMinutes())}`;
        },
    });

    const TONES = ["good", "bad", "warn", "quiet"];

    /** Stacked: each series drawn on top of those before, the highest first so that the lower cover it. */
    function stacked(data) {
        const sums = [];
        TONES.forEach((tone, index) => {
            sums.push(data[tone].map((count, hour) => count + (index ? sums[index - 1][hour] : 0)));
        });
        return [data.hours, ...sums.reverse()];
    }

    function outcomes(element) {
        const tones = [...TONES].reverse();
        return new window.uPlot({
            ...base(element, (value) => (Number.isInteger(value) ? String(value) : "")),
            series: [hourSeries(), ...tones.map((tone) => ({
                label: texts[tone],
                fill: colour(`--sched-${tone}`),
                stroke: colour(`--sched-${tone}`),
                width: 0,
                points: { show: false },
                paths: window.uPlot.paths.bars({ size: [0.8, 60], align: 1 }),
                value: (_, __, ___, hour) => (hour === null ? "–" : String(latest[tone][hour])),
            }))],
            scales: { ...base(element).scales, y: { range: (_, __, high) => [0, Math.max(high || 0, 4)] } },
        }, stacked(latest), element);
    }

    const PERCENTILES = [["p50", "good"], ["p95", "warn"], ["max", "bad"]];

    function percentiles(name) {
        return (element) => new window.uPlot({
            ...base(element, seconds),
            series: [hourSeries(), ...PERCENTILES.map(([percentile, tone]) => ({
                label: texts[percentile],
                stroke: colour(`--sched-${tone}`),
                width: 2,
                spanGaps: true,
                points: { show: true, size: 5 },
                value: (_, value) => seconds(value),
            }))],
            scales: { ...base(element).scales, y: { range: (_, __, high) => [0, Math.max(high || 0, 0.1)] } },
        }, lines(name)(latest), element);
    }

    function lines(name) {
        return (data) => [data.hours, ...PERCENTILES.map(([percentile]) => data[`${name}_${percentile}`])];
    }

    const CHARTS = [
        ["sched-chart-outcomes", outcomes, stacked],
        ["sched-chart-lateness", percentiles("lateness"), lines("lateness")],
        ["sched-chart-duration", percentiles("duration"), lines("duration")],
    ];
    let drawn = [];

    function draw() {
        drawn.forEach(({ plot }) => plot.destroy());
        drawn = CHARTS.map(([id, make, data]) => {
            const element = document.getElementById(id);
            return { element, plot: make(element), data };
        });
    }

    document.addEventListener("sched:charts", (event) => {
        if (JSON.stringify(latest) === JSON.stringify(event.detail)) {
            return;
        }
        latest = event.detail;
        drawn.forEach(({ plot, data }) => plot.setData(data(latest)));
    });
    let resizing = null;
    new ResizeObserver(() => {
        clearTimeout(resizing);
        resizing = setTimeout(() => {
            drawn.forEach(({ element, plot }) => plot.setSize({ width: element.clientWidth, height: HEIGHT }));
        }, 100);
    }).observe(document.getElementById("sched-chart-outcomes"));
    // Other colours, other charts: the admin's switch, or the system's.
    new MutationObserver(draw).observe(document.documentElement, { attributeFilter: ["data-theme"] });
    window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
    draw();
})();
