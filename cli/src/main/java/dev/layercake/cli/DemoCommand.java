package dev.layercake.cli;

import dev.layercake.engine.Bytes;
import dev.layercake.engine.Generation;
import dev.layercake.engine.GenerationListener;
import dev.layercake.engine.GenerationOptions;
import dev.layercake.engine.GenerationSummary;
import dev.layercake.engine.Haystack;
import dev.layercake.engine.LanguageModel;
import dev.layercake.engine.Session;
import dev.layercake.kernels.LayercakeException;
import dev.layercake.kv.policy.KvPolicy;
import dev.layercake.kv.policy.Policies;
import dev.layercake.model.text.Tokenizer;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.function.Function;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code layercake demo}: one question about a generated text, answered under several policies side by side. */
@Command(
        name = "demo",
        description =
                "Generates a text with facts planted in it, asks for one of them under 'full' and under 'cake', and"
                        + " shows answers, memory and slices side by side. Needs nothing but the bundled model.")
final class DemoCommand implements Callable<Integer> {
    private static final int ANSWER_TOKENS = 12;
    /** Ample room for the question and the chat template around it. */
    private static final int QUESTION_TOKENS = 64;

    private static final int COLUMN = 30;
    private static final int BAR = 18;

    private final Console console;

    @Mixin
    ModelOptions model = new ModelOptions();

    @Option(
            names = "--kv",
            paramLabel = "SPEC",
            description = "A policy to compare; may be given several times (default: full and cake(budget=512)).")
    List<String> kv = List.of("full", "cake(budget=512)");

    @Option(
            names = "--tokens",
            paramLabel = "N",
            description = "Length of the generated text (default: ${DEFAULT-VALUE}).")
    int tokens = 1500;

    @Option(
            names = "--facts",
            paramLabel = "N",
            description = "Facts planted in it, 1 to 16 (default: ${DEFAULT-VALUE}).")
    int facts = 5;

    @Option(
            names = "--depth",
            paramLabel = "D",
            description = "Where the fact asked for lies: 0 the beginning, 1 the end (default: ${DEFAULT-VALUE}).")
    double depth = 0.4;

    @Option(
            names = {"-s", "--seed"},
            paramLabel = "N",
            description = "Seed of text and facts; try others (default: ${DEFAULT-VALUE}).")
    long seed = 1;

    @Option(names = "--json", description = "Print one JSON object instead.")
    boolean json;

    DemoCommand(Console console) {
        this.console = console;
    }

    /** What one policy made of the question. */
    private record Trial(KvPolicy policy, boolean right, GenerationSummary summary) {
        String column(int width) {
            String name = policy.name();
            return name.length() <= width ? name : name.substring(0, width);
        }
    }

    /** What {@code --json} prints. */
    private record Report(String model, int tokens, String question, String expected, List<Answer> answers) {}

    /** A policy's part of it. */
    private record Answer(boolean right, RunReport run) {}

    @Override
    public Integer call() {
        if (facts < 1 || facts > 16) {
            throw LayercakeException.badInput("--facts must be from 1 to 16, not " + facts + ".");
        }
        if (!(depth >= 0 && depth <= 1)) {
            throw LayercakeException.badInput("--depth must be from 0 to 1, not " + depth + ".");
        }
        List<KvPolicy> policies = kv.stream().map(Policies::parse).toList();
        try (LanguageModel language = model.load()) {
            int longest = language.contextTokens() - ANSWER_TOKENS - QUESTION_TOKENS;
            if (tokens > longest) {
                throw LayercakeException.badInput("--tokens " + tokens + " does not fit the context of "
                        + language.model().name() + "; give at most " + longest + ", or a larger context (-c).");
            }
            Tokenizer tokenizer = language.model().tokenizer();
            Haystack haystack =
                    Haystack.generate(seed, tokens, facts, depth, text -> tokenizer.encode(text, false).length);
            if (!json) {
                introduce(language, haystack);
            }
            // Once without a clock: the first run would pay for compiling the code that the others find compiled.
            for (KvPolicy policy : policies) {
                attempt(language, haystack, policy, "warming up");
            }
            List<Trial> trials = new ArrayList<>();
            for (KvPolicy policy : policies) {
                trials.add(attempt(language, haystack, policy, policy.name() + " reads"));
            }
            if (json) {
                Json.print(console.out(), report(language, haystack, trials));
            } else {
                compare(trials);
            }
            return 0;
        }
    }

    private Trial attempt(LanguageModel language, Haystack haystack, KvPolicy policy, String label) {
        GenerationOptions options =
                GenerationOptions.builder().maxTokens(ANSWER_TOKENS).build();
        try (Session session = language.session(policy)) {
            Generation generation = session.ask(haystack.prompt(), options);
            ProgressBar progress = new ProgressBar(console, label);
            GenerationSummary summary = generation.run(new GenerationListener() {
                @Override
                public void prefill(long done, long total) {
                    progress.update(done, total);
                }
            });
            progress.end();
            return new Trial(policy, haystack.needle().answeredBy(summary.text()), summary);
        }
    }

    private void introduce(LanguageModel language, Haystack haystack) {
        say(language.model().name() + ", a model of "
                + String.format(Locale.ROOT, "%.1f", language.model().parameters() / 1e6)
                + " million parameters, reads a text that was generated just now:");
        say("");
        String needle = haystack.needle().sentence();
        int at = haystack.text().indexOf(needle);
        String before = haystack.text().substring(0, at);
        String after = haystack.text().substring(at + needle.length());
        wrap("..." + lastWords(before, 120) + needle + firstWords(after, 120) + "...");
        say("");
        say("Somewhere in it" + (facts > 1 ? ", among " + facts + " facts," : "") + " stands the one asked for."
                + haystack.needle().question() + " (It is" + haystack.needle().answer() + ".)");
        say("");
    }

    private void compare(List<Trial> trials) {
        say(row("", trials, trial -> trial.column(COLUMN - 2)));
        say(row("answer", trials, trial -> trial.summary().text().strip() + (trial.right() ? "  right" : "  WRONG")));
        say(row(
                "prompt",
                trials,
                trial -> SummaryText.tokens(trial.summary().promptTokens()) + ", "
                        + SummaryText.speed(trial.summary().prefillSpeed())));
        say(row(
                "answer speed",
                trials,
                trial -> SummaryText.speed(trial.summary().decodeSpeed())));
        say(row("KV memory", trials, trial -> {
            var usage = trial.summary().kv();
            return Bytes.text(usage.bytesNow())
                    + String.format(Locale.ROOT, "  %.0f %%", 100.0 * usage.bytesNow() / usage.bytesFull());
        }));
        say(row("at its peak", trials, trial -> Bytes.text(trial.summary().kv().bytesPeak())));
        say("");
        slices(trials);
        say("");
        for (Trial trial : trials) {
            if (trial.policy().evicts()) {
                say(trial.policy().name() + " is " + trial.summary().kv().policy());
            }
        }
        say("Now try --seed 2, --kv \"cake(budget=512)\" --kv \"snapkv(budget=512)\" --kv \"random(budget=512)\","
                + " or a model and a text of your own: layercake run -m MODEL -f FILE -p QUESTION.");
    }

    private void slices(List<Trial> trials) {
        boolean blocks = Console.showsBlocks(console.out());
        int most = trials.stream()
                .mapToInt(trial -> Bars.largest(trial.summary().kv()))
                .max()
                .orElse(1);
        List<List<String>> bars = trials.stream()
                .map(trial -> Bars.cake(trial.summary().kv(), most, BAR, blocks))
                .toList();
        say(row("slices", trials, trial -> "entries per head"));
        for (int layer = 0; layer < bars.getFirst().size(); layer++) {
            StringBuilder line = new StringBuilder(
                    pad("  " + Bars.layer(layer, bars.getFirst().size()), 16));
            for (List<String> column : bars) {
                line.append(pad(column.get(layer), COLUMN));
            }
            say(line.toString().stripTrailing());
        }
    }

    private static String row(String label, List<Trial> trials, Function<Trial, String> cell) {
        StringBuilder line = new StringBuilder(pad(label, 16));
        for (Trial trial : trials) {
            line.append(pad(cell.apply(trial), COLUMN));
        }
        return line.toString().stripTrailing();
    }

    private static String pad(String text, int width) {
        return text + " ".repeat(Math.max(1, width - text.length()));
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
            if (line.length() + word.length() > 96) {
                say(line.toString());
                line.setLength(0);
                line.append(" ");
            }
            line.append(' ').append(word);
        }
        say(line.toString());
    }

    private static Report report(LanguageModel language, Haystack haystack, List<Trial> trials) {
        return new Report(
                language.model().name(),
                trials.getFirst().summary().promptTokens(),
                haystack.needle().question().strip(),
                haystack.needle().answer().strip(),
                trials.stream()
                        .map(trial -> new Answer(trial.right(), RunReport.of(language, trial.summary())))
                        .toList());
    }

    private void say(String line) {
        console.out().println(line);
    }
}
