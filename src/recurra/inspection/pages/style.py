"""How a page of HTML looks, on a screen and printed."""

from __future__ import annotations

STYLE = """
:root { color-scheme: light; --ink: #22272e; --soft: #5b6470; --line: #dde1e7; --tint: #f5f7fa; --link: #1a5fb4; }
* { box-sizing: border-box; }
html { font-size: 125%; scroll-padding-top: 1rem; }
body { margin: 0; color: var(--ink); background: #fff; line-height: 1.55;
  font-family: 'Segoe UI', 'Helvetica Neue', Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif; }
math { font-size: 1.12em;
  font-family: 'STIX Two Math', 'Cambria Math', 'Latin Modern Math', 'TeX Gyre Termes Math', 'DejaVu Math TeX Gyre',
    math, serif; }
mtable { math-style: normal; }
mtd { padding: 0.14em 0.4em; }
mtd[columnalign="left"] { text-align: left; }
mtd[columnalign="right"] { text-align: right; text-align: -webkit-right; }
code, .place { font-family: Consolas, Menlo, 'Liberation Mono', 'DejaVu Sans Mono', monospace; font-size: 0.85em; }
a { color: var(--link); text-decoration: none; }
a:hover { text-decoration: underline; }
.page { display: grid; grid-template-columns: 13rem minmax(0, 1fr); max-width: 98rem; margin: 0 auto; }
nav { position: sticky; top: 0; align-self: start; max-height: 100vh; overflow-y: auto; padding: 2.6rem 1rem 2rem 2rem;
  font-size: 0.9rem; }
nav ol { list-style: none; margin: 0; padding: 0; border-left: 3px solid var(--line); }
nav ol ol { border: 0; padding-left: 0.9rem; }
nav a { display: block; padding: 0.22rem 0 0.22rem 0.9rem; color: var(--soft); }
main { padding: 2.2rem 2.5rem 4rem 2rem; min-width: 0; }
header { border-bottom: 3px solid var(--line); padding-bottom: 1.2rem; }
h1 { font-size: 2.5rem; line-height: 1.15; margin: 0 0 0.5rem; overflow-wrap: anywhere; }
h1 code { font-size: 0.55em; font-weight: normal; color: var(--soft); margin-left: 0.6em; }
h2 { font-size: 1.7rem; line-height: 1.2; margin: 3rem 0 0.9rem; }
h3 { font-size: 1.2rem; margin: 1.9rem 0 0.5rem; }
h4 { font-size: 1rem; margin: 1.2rem 0 0.3rem; color: var(--soft); font-weight: 600; }
p { margin: 0.5rem 0; max-width: 62rem; }
.summary { font-size: 1.3rem; }
.source, .note, figcaption, .legend { color: var(--soft); }
.note { font-size: 0.9rem; }
.wide { overflow-x: auto; overflow-y: hidden; }
table { border-collapse: collapse; }
td, th { text-align: left; vertical-align: baseline; padding: 0.3rem 1.4rem 0.3rem 0; }
th { color: var(--soft); font-weight: 600; font-size: 0.9rem; }
.equations { width: 100%; background: var(--tint); border-radius: 10px; padding: 0.7rem 0; }
.equations table { width: 100%; }
.equations td { padding: 0.3rem 0; }
.equations math { font-size: 1.2em; }
.equations.columns > table { width: auto; }
.equations tr { break-inside: avoid; }
.equations .left { text-align: right; white-space: nowrap; padding-left: 1.3rem; width: 6rem; }
.equations .sign { text-align: center; white-space: nowrap; padding: 0.3rem 0.45rem; width: 2.2rem; }
.equations .place { text-align: right; white-space: nowrap; color: var(--soft); padding: 0 1.3rem 0 1.5rem; }
.equations tr:hover { background: #e9eef5; }
.columns { columns: 3 18rem; column-gap: 1rem; }
.listing td { border-top: 1px solid var(--line); }
.listing tr:first-child td { border-top: 0; }
.listing thead + tbody tr:first-child td { border-top: 1px solid var(--line); }
.large { font-size: 1.5rem; margin: 0.8rem 0; }
.values { display: flex; flex-wrap: wrap; gap: 0.9rem 2.4rem; align-items: center; margin: 0.6rem 0 1rem; }
.values > div, .steps td { white-space: nowrap; }
.values > div { max-width: 100%; overflow-x: auto; overflow-y: hidden; }
.equations + .equations { margin-top: 0.6rem; }
.steps td { vertical-align: middle; padding: 0.35rem 0; border-top: 1px solid var(--line); }
.steps tr:first-child td { border-top: 0; }
.steps .left { text-align: right; }
.steps .right { white-space: normal; padding-left: 0.35rem; }
.steps .value { padding-left: 2rem; }
.steps .note { padding-left: 2rem; white-space: normal; min-width: 8rem; }
.step { break-inside: auto; border-left: 4px solid var(--line); padding-left: 1.4rem; margin: 1.4rem 0; }
.backward { border-left-color: #e3bfa9; }
.forward { border-left-color: #b5cbe8; }
figure { margin: 1.2rem 0; }
figure > svg { display: block; width: 100%; height: auto; max-height: 92vh; background: #fff; }
figure.natural > svg { width: auto; max-width: 100%; max-height: none; }
figcaption { font-size: 0.95rem; margin-top: 0.3rem; }
details { margin: 0.7rem 0; font-size: 0.9rem; }
summary { color: var(--soft); cursor: pointer; }
pre { background: var(--tint); border-radius: 8px; padding: 0.8rem 1rem; overflow-x: auto; line-height: 1.4; }
.places dt::first-letter { text-transform: uppercase; }
.places dt { font-weight: 600; margin-top: 0.9rem; }
.places dd { margin: 0.15rem 0 0.15rem 1.4rem; }
.text { font-size: 1.35rem; line-height: 2.3; overflow-wrap: anywhere; }
.text span { padding: 0.2em 0.14em; border-radius: 4px; white-space: pre-wrap; }
.tokens td, .tokens th { padding-right: 1.1rem; white-space: nowrap; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
footer { margin-top: 3.5rem; border-top: 1px solid var(--line); padding-top: 0.8rem; color: var(--soft);
  font-size: 0.85rem; }
@media (max-width: 62rem) { .page { display: block; } nav { position: static; padding: 1.5rem 1.5rem 0; }
  main { padding: 1.5rem; } }
@media print {
  @page { margin: 1.6cm; }
  html { font-size: 10.5pt; }
  .page { display: block; max-width: none; }
  nav, details { display: none; }
  main { padding: 0; }
  h2, h3, h4 { break-after: avoid; }
  figure, tr, .values > div { break-inside: avoid; }
  .wide { overflow: visible; }
  figure > svg { max-height: 22cm; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
""".strip()
"""A style sheet that fetches nothing."""
