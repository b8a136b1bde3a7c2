package dev.layercake.cli;

import dev.layercake.engine.Bytes;
import dev.layercake.engine.KvUsage;
import dev.layercake.engine.LanguageModel;
import dev.layercake.eval.Contender;
import dev.layercake.eval.Demo;
import dev.layercake.eval.Sample;
import dev.layercake.eval.Trial;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;

/** A demo on a terminal: a column per policy, filled while the answers come. */
final class DemoScreen {
    private static final int LABEL = 15;
    private static final int COLUMN = 20;
    private static final int BAR = 10;
    private static final int TEXT_WIDTH = 92;

    private final Console console;
    private final boolean silent;
    private final boolean marks;
    private final List<Trial> round = new ArrayList<>();
    private int columns;
    private boolean first = true;

    /** @param silent whether only progress is shown */
    DemoScreen(Console console, boolean silent) {
        this.console = console;
        this.silent = silent;
        this.marks = console.out().charset().newEncoder().canEncode("\u2713\u2717");
    }

    void introduce(LanguageModel language, Demo demo, int tokens) {
        say(language.model().name() + ", a model of "
                + String.format(Locale.ROOT, "%.1f", language.model().parameters() / 1e6)
                + " million parameters, reads a chronicle of " + Bars.number(tokens)
                + " tokens that was written just now:");
        say("");
        String fact = demo.sentences().getFirst().getFirst();
        int at = demo.text().indexOf(fact);
        String before = demo.text().substring(0, at);
        String after = demo.text().substring(at + fact.length());
        wrap("..." + lastWords(before, 100) + fact + firstWords(after, 100) + "...");
        say("");
        say("It hides what " + demo.samples().size() + " questions ask for, like the "
                + demo.samples().getFirst().answer().strip() + " in this passage. Each answer reads all of it anew.");
        say("");
    }

    /** For what is done before the first row: a bar would wipe a row that is half printed. */
    ProgressBar warmingUp(Contender contender) {
        return new ProgressBar(console, "warming up, " + contender.label());
    }

    void beginRound(List<Contender> contenders) {
        round.clear();
        if (first) {
            heading(contenders);
        } else {
            String budget = contenders.getFirst().budget().label();
            print(pad("at " + budget, LABEL));
            // Those without a budget have answered already; they come first by default.
            print(" ".repeat(COLUMN * (columns - contenders.size())));
        }
    }

    private void heading(List<Contender> contenders) {
        columns = contenders.size();
        say(row("", contenders, contender -> clip(contender.label(), COLUMN - 2)));
    }

    void beginQuestion(Sample sample) {
        if (first) {
            say(sample.prompt().question().strip() + "  " + sample.answer().strip());
            print(" ".repeat(LABEL));
        }
    }

    void answer(Trial trial) {
        round.add(trial);
        if (first) {
            print(pad(said(trial), COLUMN));
        }
    }

    private String said(Trial trial) {
        boolean right = trial.outcome().correct();
        String mark = marks ? (right ? "\u2713 " : "\u2717 ") : right ? "right " : "WRONG ";
        return mark + clip(trial.outcome().answer(), COLUMN - 2 - mark.length());
    }

    void endQuestion() {
        if (first) {
            say("");
        }
    }

    /** Shows what a round came to. */
    void endRound(List<Contender> contenders, List<Trial> all) {
        if (!first) {
            for (Contender contender : contenders) {
                print(pad(marksAndScore(contender), COLUMN));
            }
            say("");
            return;
        }
        first = false;
        say("");
        say(row("right", contenders, this::marksAndScore));
        say(row("KV memory", contenders, contender -> {
            KvUsage kv = last(contender).summary().kv();
            return Bytes.text(kv.bytesNow())
                    + String.format(Locale.ROOT, " %.0f %%", 100.0 * kv.bytesNow() / kv.bytesFull());
        }));
        say(row(
                "at its peak",
                contenders,
                contender -> Bytes.text(last(contender).summary().kv().bytesPeak())));
        say(row(
                "first token",
                contenders,
                contender -> SummaryText.seconds((long)
                        middle(contender, trial -> (double) trial.summary().firstTokenNanos()))));
        say(row(
                "after that",
                contenders,
                contender -> SummaryText.speed(
                        middle(contender, trial -> trial.summary().decodeSpeed()))));
        say("");
        slices(contenders);
        say("");
    }

    private void slices(List<Contender> contenders) {
        boolean blocks = Console.showsBlocks(console.out());
        List<KvUsage> usages = contenders.stream()
                .map(contender -> last(contender).summary().kv())
                .toList();
        List<List<String>> bars = usages.stream()
                .map(kv -> Bars.cake(kv, Bars.largest(kv), BAR, blocks))
                .toList();
        say(row("slices", contenders, contender -> "entries per head"));
        for (int layer = 0; layer < bars.getFirst().size(); layer++) {
            StringBuilder line = new StringBuilder(
                    pad("  " + Bars.layer(layer, bars.getFirst().size()), LABEL));
            for (List<String> column : bars) {
                line.append(pad(column.get(layer), COLUMN));
            }
            say(line.toString().stripTrailing());
        }
    }

    /** A mark per question, and how many are right. */
    private String marksAndScore(Contender contender) {
        StringBuilder line = new StringBuilder();
        own(contender)
                .forEach(trial -> line.append(
                        marks
                                ? (trial.outcome().correct() ? '\u2713' : '\u2717')
                                : trial.outcome().correct() ? '+' : '-'));
        return line + " " + score(contender);
    }

    private String score(Contender contender) {
        long right = own(contender).stream()
                .filter(trial -> trial.outcome().correct())
                .count();
        return right + " of " + own(contender).size();
    }

    private List<Trial> own(Contender contender) {
        return round.stream()
                .filter(trial -> trial.contender().equals(contender))
                .toList();
    }

    private Trial last(Contender contender) {
        return own(contender).getLast();
    }

    /** The median: one answer that something else on the machine has slowed down does not count. */
    private double middle(Contender contender, Function<Trial, Double> value) {
        List<Double> values = own(contender).stream().map(value).sorted().toList();
        return values.get(values.size() / 2);
    }

    private static String row(String label, List<Contender> contenders, Function<Contender, String> cell) {
        StringBuilder line = new StringBuilder(pad(label, LABEL));
        for (Contender contender : contenders) {
            line.append(pad(cell.apply(contender), COLUMN));
        }
        return line.toString().stripTrailing();
    }

    private static String pad(String text, int width) {
        return text + " ".repeat(Math.max(1, width - text.length()));
    }

    private static String clip(String text, int width) {
        String line = text.replaceAll("\\s+", " ");
        return line.length() <= width ? line : line.substring(0, width - 2) + "..";
    }

    private static String lastWords(String text, int length) {
        int start = text.indexOf(' ', Math.max(0, text.length() - length));
        return start < 0 ? "" : text.substring(start);
    }

    private static String firstWords(String text, int length) {
        int end = text.lastIndexOf(' ', Math.min(text.length(), length));
        return end < 0 ? "" : text.substring(0, end);
    }

    private void wrap(String text) {
        StringBuilder line = new StringBuilder(" ");
        for (String word : text.split(" ", -1)) {
            if (line.length() + word.length() > TEXT_WIDTH) {
                say(line.toString());
                line.setLength(0);
                line.append(" ");
            }
            line.append(' ').append(word);
        }
        say(line.toString());
    }

    void say(String line) {
        if (!silent) {
            console.out().println(line);
        }
    }

    private void print(String piece) {
        if (!silent) {
            console.stream(piece);
            console.out().flush();
        }
    }
}
