"""The report's style sheet: system fonts, one accent, light and dark."""

STYLE = """
:root {
  color-scheme: light dark;
  --paper: #fcfbf9; --card: #ffffff; --ink: #1d1f21; --soft: #63676c; --rule: #e3e0da; --grid: #eceae5;
  --model: #0f6b6b; --baseline: #7d8287; --kill: #b4400f; --wash: #b4400f1a; --good: #1a7042; --bad: #b3261e;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #141618; --card: #1b1e21; --ink: #e8e6e1; --soft: #a0a5aa; --rule: #32363a; --grid: #24282b;
    --model: #57c4bd; --baseline: #8d9398; --kill: #ff9466; --wash: #ff946626; --good: #6ccf97; --bad: #ff8a80;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.55 -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
  font-variant-numeric: tabular-nums;
}
main { max-width: 944px; margin: 0 auto; padding: 56px 32px 40px; }
header p.origin { margin: 0 0 20px; color: var(--soft); font-size: 14px; }
header p.origin b { color: var(--ink); font-weight: 600; }
h1 { margin: 0; max-width: 22ch; font-size: clamp(30px, 5.4vw, 46px); line-height: 1.1; font-weight: 650;
  letter-spacing: -0.022em; text-wrap: balance; }
.lead { margin: 20px 0 0; max-width: 62ch; font-size: 18px; color: var(--soft); }
h2 { margin: 0 0 4px; font-size: 20px; line-height: 1.3; font-weight: 650; letter-spacing: -0.01em; }
h3 { margin: 28px 0 6px; font-size: 15px; font-weight: 600; }
section { margin-top: 56px; }
section > p { margin: 0; max-width: 66ch; color: var(--soft); }
code { font-size: 0.92em; } pre code { font-size: inherit; }
code, pre, .hash { font-family: ui-monospace, "SF Mono", SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace; }

.proof { margin-top: 36px; padding: 22px 26px 20px; background: var(--card); border: 1px solid var(--rule);
  border-left: 4px solid var(--good); border-radius: 6px; }
.proof.different { border-left-color: var(--bad); }
.proof .verdict { margin: 0 0 14px; font-size: 18px; font-weight: 650; color: var(--good); }
.proof.different .verdict { color: var(--bad); }
.proof dl { display: grid; grid-template-columns: max-content 1fr; gap: 6px 22px; margin: 0; align-items: baseline; }
.proof dt { font-size: 14px; color: var(--soft); white-space: nowrap; }
.proof dd { margin: 0; min-width: 0; }
.hash { font-size: 13px; line-height: 1.7; }
.hash span { display: inline-block; margin-right: 0.42em; }
.hash span.differs { color: var(--bad); font-weight: 700; text-decoration: underline; }
.proof p.note { margin: 14px 0 0; font-size: 14px; color: var(--soft); max-width: 78ch; }

.figures { display: grid; grid-template-columns: repeat(6, auto); justify-content: space-between; gap: 20px 24px;
  margin: 40px 0 0; padding: 20px 0 0; border-top: 1px solid var(--rule); }
.figures div { display: flex; flex-direction: column-reverse; justify-content: flex-end; }
.figures dt { font-size: 14px; color: var(--soft); }
.figures dd { margin: 0; font-size: 27px; line-height: 1.2; font-weight: 600; letter-spacing: -0.015em; }
.kinds { margin: 14px 0 0; font-size: 14px; color: var(--soft); }

figure { margin: 0; }
figure h3 small { font-size: 14px; font-weight: 400; color: var(--soft); margin-left: 6px; }
.chart { display: block; width: 100%; height: auto; overflow: visible; }
.chart.narrow { display: none; }
.chart text { font-size: 13px; fill: var(--soft); }
.chart .grid { stroke: var(--grid); } .chart .axis { stroke: var(--soft); }
.chart .line { fill: none; stroke-linejoin: round; stroke-linecap: round; }
.chart .line.model { stroke: var(--model); stroke-width: 2.25; }
.chart .line.baseline { stroke: var(--baseline); stroke-width: 1.5; stroke-dasharray: 5 4; }
.chart .end.model { fill: var(--model); } .chart .end.baseline { fill: var(--baseline); }
.chart .name { font-weight: 600; } .chart .value { font-size: 15px; }
.chart .name.model, .chart .value.model { fill: var(--model); }
.chart .name.baseline, .chart .value.baseline { fill: var(--soft); }
.chart .kill { stroke: var(--kill); stroke-width: 1.5; } .chart .kill-label { fill: var(--kill); font-weight: 600; }
.chart .again { fill: var(--wash); } .chart .checkpoint { fill: var(--ink); }
.legend { display: flex; flex-wrap: wrap; gap: 4px 22px; margin: 14px 0 0; padding: 0; list-style: none; font-size: 14px;
  color: var(--soft); }
.legend svg { width: 16px; height: 12px; margin-right: 7px; vertical-align: -1px; }
.legend .checkpoint { fill: var(--ink); } .legend .again { fill: var(--wash); } .legend .kill { stroke: var(--kill); stroke-width: 1.5; }

details { margin-top: 20px; font-size: 14px; }
summary { cursor: pointer; color: var(--model); width: max-content; }
summary:focus-visible, .scroll:focus-visible { outline: 2px solid var(--model); outline-offset: 3px; border-radius: 2px; }
.scroll { overflow-x: auto; margin-top: 12px; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
caption { text-align: left; color: var(--soft); padding-bottom: 8px; }
th, td { padding: 6px 0 6px 20px; text-align: right; border-bottom: 1px solid var(--grid); white-space: nowrap; font-weight: 400; }
th:first-child, td:first-child { padding-left: 0; }
thead th { color: var(--soft); border-bottom-color: var(--rule); }
.timings th { text-align: left; white-space: normal; }
.timings td.bar { width: 48%; }
.timings td.bar span { display: block; height: 8px; border-radius: 1px; background: var(--model); min-width: 1px; }

pre { margin: 16px 0 0; padding: 16px 20px; background: var(--card); border: 1px solid var(--rule); border-radius: 6px;
  font-size: 14px; line-height: 1.7; white-space: pre-wrap; overflow-wrap: anywhere; }
pre .prompt { color: var(--soft); user-select: none; }
footer { margin-top: 56px; padding-top: 18px; border-top: 1px solid var(--rule); font-size: 14px; color: var(--soft); }
footer dl { display: flex; flex-wrap: wrap; gap: 4px 26px; margin: 0; }
footer div { display: flex; gap: 7px; } footer dd { margin: 0; color: var(--ink); }

@media (max-width: 640px) {
  main { padding: 32px 20px 32px; }
  .lead { font-size: 17px; }
  section { margin-top: 44px; }
  .proof { margin-top: 28px; padding: 18px 18px 16px; }
  .proof dl { grid-template-columns: 1fr; gap: 0; }
  .proof dd + dt { margin-top: 12px; }
  .hash { font-size: 14px; line-height: 1.55; }
  .figures { grid-template-columns: repeat(2, 1fr); margin-top: 32px; gap: 18px 24px; }
  .chart.wide { display: none; } .chart.narrow { display: block; }
  .timings td.bar { width: 32%; }
}
@media print {
  body { background: none; } main { padding: 0; } details { display: none; } section { break-inside: avoid; margin-top: 28px; }
}
"""
