package dev.layercake.eval;

import dev.layercake.engine.Bytes;
import dev.layercake.engine.LanguageModel;
import dev.layercake.kernels.LayercakeException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.function.ToDoubleFunction;

/** A demo as a page: answers, memory and speed, and drawings of what each policy kept. */
public final class DemoPage {
    private static final int LONGEST_ANSWER = 30;

    private final String model;
    private final PromptEncoder encoder;
    private final Demo demo;
    private final List<Trial> trials;
    private final List<Contender> contenders;
    private final List<String> policies;

    private DemoPage(LanguageModel language, Demo demo, List<Trial> trials) {
        this.model = language.model().name();
        this.encoder = new PromptEncoder(language.model());
        this.demo = demo;
        this.trials = List.copyOf(trials);
        this.contenders = trials.stream().map(Trial::contender).distinct().toList();
        this.policies = contenders.stream().map(Contender::policy).distinct().toList();
    }

    /**
     * Writes the page.
     *
     * @throws LayercakeException (bad input) if the file cannot be written
     */
    public static void write(Path file, LanguageModel language, Demo demo, List<Trial> trials) {
        try {
            Files.writeString(file, new DemoPage(language, demo, trials).html());
        } catch (IOException e) {
            throw LayercakeException.badInput(
                    "The page cannot be written to " + file + " (" + e + "); give another path with --html.", e);
        }
    }

    private String html() {
        Markup body = new Markup();
        int tokens = trials.getFirst().outcome().promptTokens();
        body.element("h1", "Layercake: what " + model + " still knows");
        body.element(
                "p",
                String.format(
                        Locale.ROOT,
                        "%s read a generated chronicle of %,d tokens with facts hidden in it, and answered %d questions about"
                                + " them under each policy and budget. A budget counts the entries that each head of each layer may keep,"
                                + " the last tokens (the window) included.",
                        model,
                        tokens,
                        demo.samples().size()),
                "class",
                "faint");
        answers(body);
        chart(body);
        slices(body);
        kept(body);
        text(body);
        return Page.of("Layercake demo: " + model, body);
    }

    private void answers(Markup body) {
        body.element("h2", "Answers");
        body.open("ol");
        for (Sample sample : demo.samples()) {
            body.open("li")
                    .text(sample.prompt().question().strip() + " ")
                    .element("b", sample.answer().strip())
                    .close();
        }
        body.close();
        body.open("div", "class", "scroll").open("table").open("tr");
        for (String head :
                List.of("policy", "budget", "window", "right", "KV memory", "at its peak", "first token", "tokens/s")) {
            body.element("th", head);
        }
        for (int question = 1; question <= demo.samples().size(); question++) {
            body.element("th", Integer.toString(question), "class", "left");
        }
        body.close();
        contenders.forEach(contender -> answers(body, contender));
        body.close().close();
    }

    private void answers(Markup body, Contender contender) {
        List<Trial> own = of(contender);
        Outcome last = own.getLast().outcome();
        long right = own.stream().filter(trial -> trial.outcome().correct()).count();
        body.open("tr")
                .element("td", contender.policy())
                .element("td", contender.budget().label())
                .element("td", last.window() == 0 ? "" : Integer.toString(last.window()));
        body.element("td", right + " of " + own.size())
                .element(
                        "td",
                        Bytes.text(last.kvBytes())
                                + String.format(Locale.ROOT, " (%.0f %%)", 100.0 * last.kvBytes() / last.kvBytesFull()))
                .element("td", Bytes.text(last.kvBytesPeak()))
                .element("td", String.format(Locale.ROOT, "%.2f s", median(own, Outcome::firstTokenSeconds)))
                .element("td", String.format(Locale.ROOT, "%.0f", median(own, Outcome::tokensPerSecond)));
        for (Trial trial : own) {
            boolean correct = trial.outcome().correct();
            body.open("td", "class", "left")
                    .element(
                            "span",
                            (correct ? "\u2713 " : "\u2717 ")
                                    + clipped(trial.outcome().answer()),
                            "class",
                            correct ? "good" : "bad")
                    .close();
        }
        body.close();
    }

    /** One answer that something else on the machine has slowed down does not count. */
    private static double median(List<Trial> trials, ToDoubleFunction<Outcome> value) {
        double[] values =
                trials.stream().map(Trial::outcome).mapToDouble(value).sorted().toArray();
        return values[values.length / 2];
    }

    /** What a model says when it has lost the thread can be long. */
    private static String clipped(String answer) {
        return answer.length() <= LONGEST_ANSWER ? answer : answer.substring(0, LONGEST_ANSWER) + "...";
    }

    private void chart(Markup body) {
        if (contenders.stream().allMatch(contender -> contender.budget().equals(Budget.OWN))) {
            return;
        }
        Summary summary = Summary.of(
                demo.evaluation(),
                new LinkedHashMap<>(),
                trials.stream().map(Trial::outcome).toList());
        body.element("h2", "Right answers by budget");
        ReportPage.key(body, policies);
        body.open("figure", "style", "display:inline-block")
                .add(new LineChart(summary).draw("Right answers by budget", Summary.Row::all))
                .close();
    }

    private void slices(Markup body) {
        body.element("h2", "How the budget was cut");
        body.element("p", "Entries per head in each layer, after the last question.", "class", "faint");
        body.open("div", "class", "row");
        for (Contender contender : evicting()) {
            var kv = of(contender).getLast().summary().kv();
            int most = 1;
            for (int layer = 0; layer < kv.slices().size(); layer++) {
                most = Math.max(most, kv.entriesPerHead(layer));
            }
            body.open("figure")
                    .element("figcaption", contender.label())
                    .add(CakeDrawing.slices(kv, most, LineChart.colour(policies, contender.policy())))
                    .close();
        }
        body.close();
    }

    private void kept(Markup body) {
        Sample sample = demo.samples().getFirst();
        body.element("h2", "Where in the text the kept entries lie");
        body.element(
                "p",
                "A row per layer; the darker, the more heads kept entries there. The question was: "
                        + sample.prompt().question().strip()
                        + " Triangles mark the facts that the questions are about, the dotted line the one asked for here.",
                "class",
                "faint");
        List<Integer> facts = factPositions();
        body.open("div", "class", "row");
        for (Contender contender : evicting()) {
            Trial trial = of(contender).getFirst();
            body.open("figure")
                    .element(
                            "figcaption",
                            contender.label() + ": " + trial.outcome().answer())
                    .add(CakeDrawing.kept(
                            trial.positions(),
                            trial.outcome().promptTokens(),
                            facts,
                            0,
                            LineChart.colour(policies, contender.policy())))
                    .close();
        }
        body.close();
    }

    /** Where the planted sentences begin, in tokens. */
    private List<Integer> factPositions() {
        Sample first = demo.samples().getFirst();
        List<Integer> positions = new ArrayList<>();
        for (List<String> sentences : demo.sentences()) {
            String before = demo.text().substring(0, demo.text().indexOf(sentences.getFirst()));
            positions.add(encoder.encode(new Prompt(before, first.prompt().question(), false))
                    .textCount());
        }
        return positions;
    }

    private void text(Markup body) {
        body.element("h2", "The text");
        body.open("details").element("summary", "All of it, facts marked").open("p", "style", "max-width:60rem");
        int at = 0;
        String text = demo.text();
        List<String> inOrder = demo.sentences().stream()
                .flatMap(List::stream)
                .sorted(Comparator.comparingInt(text::indexOf))
                .toList();
        for (String sentence : inOrder) {
            int start = text.indexOf(sentence);
            body.text(text.substring(at, start) + " ").element("mark", sentence.strip());
            at = start + sentence.length();
        }
        body.text(text.substring(at)).close().close();
    }

    private List<Contender> evicting() {
        return contenders.stream()
                .filter(contender -> of(contender).getFirst().outcome().budgetEntries() > 0)
                .toList();
    }

    private List<Trial> of(Contender contender) {
        return trials.stream()
                .filter(trial -> trial.contender().equals(contender))
                .toList();
    }
}
