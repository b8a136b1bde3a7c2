package dev.layercake.eval;

/**
 * A page that needs nothing but itself: styles inside, drawings as SVG, no scripts, nothing loaded from elsewhere. Light
 * or dark as the reader's system is, and dark on white in print.
 */
final class Page {
    private static final String STYLE = """
            :root { color-scheme: light dark; --ink: #2b211b; --faint: #776a5f; --line: #e4dbd0; --ground: #fffdf9;
              --raised: #fbf5ec; --s0: #776a5f; --s1: #c2571a; --s2: #1f6fb2; --s3: #2e7d4f; --s4: #8b4fa3; --s5: #a08400;
              --s6: #00798c; --good: #2e7d4f; --bad: #b3261e; }
            @media (prefers-color-scheme: dark) { :root { --ink: #f1e9df; --faint: #b3a698; --line: #43382f;
              --ground: #1b1612; --raised: #26201a; --s0: #b3a698; --s1: #f08a4b; --s2: #6db3ec; --s3: #6cc48f;
              --s4: #c79bdc; --s5: #d9c04a; --s6: #56c2d1; --good: #6cc48f; --bad: #ff8a80; } }
            @media print { :root { color-scheme: light; --ink: #000; --faint: #444; --line: #bbb; --ground: #fff;
              --raised: #fff; --s0: #555; --s1: #c2571a; --s2: #1f6fb2; --s3: #2e7d4f; --s4: #8b4fa3; --s5: #a08400;
              --s6: #00798c; --good: #1d6b3c; --bad: #b3261e; } figure, tr { break-inside: avoid; } }
            * { box-sizing: border-box; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
            body { margin: 0 auto; max-width: 76rem; padding: 2rem 1.25rem 4rem; background: var(--ground);
              color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
            h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .3rem; }
            h2 { font-size: 1.15rem; margin: 2.4rem 0 .6rem; }
            p { max-width: 46rem; margin: .3rem 0 .8rem; }
            .faint { color: var(--faint); font-size: .9rem; }
            .scroll { overflow-x: auto; }
            table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .92rem; }
            th, td { padding: .3rem .7rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
            th { color: var(--faint); font-weight: 600; }
            th:first-child, td:first-child, .left { text-align: left; }
            td small { color: var(--faint); }
            .row { display: flex; flex-wrap: wrap; gap: 1rem 1.5rem; }
            figure { margin: 0; padding: .8rem; background: var(--raised); border-radius: .6rem; max-width: 100%; }
            figcaption { font-size: .9rem; font-weight: 600; margin-bottom: .3rem; }
            svg { display: block; max-width: 100%; height: auto; }
            svg text { font: 12px system-ui, sans-serif; fill: var(--ink); }
            svg .soft { fill: var(--faint); }
            .key { display: inline-flex; align-items: center; gap: .4rem; margin-right: 1.1rem; }
            .key i { width: 1.1rem; height: .25rem; border-radius: 2px; display: inline-block; }
            .good { color: var(--good); font-weight: 600; } .bad { color: var(--bad); font-weight: 600; }
            dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; font-size: .88rem; margin: 0; }
            dt { color: var(--faint); } dd { margin: 0; overflow-wrap: anywhere; }
            @media print { body { font-size: 11px; padding: 0; max-width: none; } .scroll { overflow: visible; }
              .row { display: flow-root; } .row figure { float: left; padding: .4rem; }
              table { font-size: 10px; } th, td { padding: .2rem .4rem; } h2 { break-after: avoid; } }
            """;

    private Page() {}

    /** The whole document. */
    static String of(String title, Markup body) {
        Markup page = new Markup()
                .open("html", "lang", "en", "xmlns", "http://www.w3.org/1999/xhtml")
                .open("head")
                .empty("meta", "charset", "utf-8")
                .empty("meta", "name", "viewport", "content", "width=device-width, initial-scale=1")
                .element("title", title)
                .element("style", "\n" + STYLE)
                .close()
                .open("body")
                .add(body)
                .close()
                .close();
        return "<!DOCTYPE html>\n" + page;
    }

    /** Colour of the nth line or bar; 0 is grey, for what others are compared with. */
    static String series(int index) {
        return "var(--s" + (index == 0 ? 0 : 1 + (index - 1) % 6) + ")";
    }
}
