package dev.layercake.cli;

import dev.layercake.engine.LanguageModel;
import dev.layercake.engine.ModelFingerprint;
import dev.layercake.eval.Contender;
import dev.layercake.eval.Evaluation;
import dev.layercake.eval.Outcome;
import dev.layercake.eval.Predictions;
import dev.layercake.eval.PromptEncoder;
import dev.layercake.eval.Report;
import dev.layercake.eval.ResultsFile;
import dev.layercake.eval.Runner;
import dev.layercake.eval.Summary;
import dev.layercake.eval.SyntheticTasks;
import dev.layercake.eval.Table;
import dev.layercake.eval.suite.Suite;
import dev.layercake.kernels.LayercakeException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.SequencedMap;
import java.util.function.Function;

/** One run of an evaluation, from options to reports. */
final class EvalRun {
    private final Console console;
    private final ModelOptions model;
    private final ContenderOptions who;

    EvalRun(Console console, ModelOptions model, ContenderOptions who) {
        this.console = console;
        this.model = model;
        this.who = who;
    }

    /** Texts that are made here. */
    int run(EvalOptions options, Function<SyntheticTasks, Evaluation> make) {
        options.tasks(true); // what is wrong with the options is said before a model is loaded
        return run(options.compression(), options.skipInWindow, language -> {
            for (int length : options.lengths) {
                requireLength(length, language);
            }
            boolean bundled = language.model().name().equals(Installation.BUNDLED);
            return make.apply(new SyntheticTasks(new PromptEncoder(language.model()), options.tasks(bundled)));
        });
    }

    /** A published suite, or the user's own questions. */
    int run(Runner.Compression compression, Suite suite) {
        return run(
                compression,
                false,
                language -> suite.evaluation(new PromptEncoder(language.model()), language.contextTokens()));
    }

    static void requireLength(int length, LanguageModel language) {
        if (length < 1 || length > language.contextTokens()) {
            throw LayercakeException.badInput("--lengths " + length + " does not fit the context of "
                    + language.model().name() + "; give at most " + language.contextTokens()
                    + ", or a larger context (-c, beyond what it was made for with --beyond-context).");
        }
    }

    /**
     * Any evaluation.
     *
     * @param make called with the loaded model
     */
    int run(Runner.Compression compression, boolean skipInWindow, Function<LanguageModel, Evaluation> make) {
        List<Contender> contenders = fullFirst(who.contenders());
        try (LanguageModel language = model.load()) {
            Evaluation whole = make.apply(language);
            Runner runner = new Runner(language, compression);
            Evaluation evaluation = skipInWindow ? outsideWindows(runner, whole, contenders) : whole;
            SequencedMap<String, String> setup = setup(evaluation, language, compression);
            Path folder = who.out != null ? who.out : usualFolder(evaluation.name(), setup);
            try (ResultsFile<Outcome> results = ResultsFile.open(folder, setup, Outcome.class)) {
                announce(language, evaluation, contenders, folder);
                Written written = new Written(evaluation, contenders, results, setup, folder);
                written.removeOlder();
                Interruption.during(console, () -> run(runner, evaluation, contenders, results), written::write);
                List<Path> files = written.write();
                print(written.summary(), files);
                tellOthers(results.outcomes().size() - written.answers());
            }
            return 0;
        }
    }

    /** The full cache first: where it fails, the rest means little. */
    private static List<Contender> fullFirst(List<Contender> contenders) {
        List<Contender> ordered = new ArrayList<>(contenders);
        ordered.sort(Comparator.comparing(contender -> !contender.policy().equals("full")));
        return ordered;
    }

    /** The reports of what is known so far, and how much of it is missing. */
    private record Written(
            Evaluation evaluation,
            List<Contender> contenders,
            ResultsFile<Outcome> results,
            SequencedMap<String, String> setup,
            Path folder) {
        int answers() {
            return results.outcomes(evaluation.ids(), contenders).size();
        }

        private int all() {
            return evaluation.samples().size() * contenders.size();
        }

        /** A report of earlier answers must not stand beside new ones. */
        void removeOlder() {
            if (answers() < all()) {
                Report.remove(folder);
            }
        }

        Summary summary() {
            List<Outcome> outcomes = results.outcomes(evaluation.ids(), contenders);
            SequencedMap<String, String> told = new LinkedHashMap<>(setup);
            if (outcomes.size() < all()) {
                told.put("missing", (all() - outcomes.size()) + " of " + all() + " answers: the run was stopped");
            }
            return Summary.of(evaluation, told, outcomes);
        }

        List<Path> write() {
            List<Path> files = new ArrayList<>(Report.write(summary(), folder));
            files.addAll(Predictions.write(results.outcomes(evaluation.ids(), contenders), folder));
            return files;
        }
    }

    private Evaluation outsideWindows(Runner runner, Evaluation evaluation, List<Contender> contenders) {
        Evaluation left = evaluation.with(runner.outsideWindows(evaluation.samples(), contenders));
        int skipped = evaluation.samples().size() - left.samples().size();
        if (left.samples().isEmpty()) {
            throw LayercakeException.badInput(
                    "Every answer lies in the window of a policy, so that --skip-in-window leaves"
                            + " no question; ask for longer texts (--lengths), or smaller windows.");
        }
        console.err()
                .println("Left out: " + Bars.number(skipped) + " of "
                        + Bars.number(evaluation.samples().size())
                        + " questions, whose answers lie in the window of a policy.");
        return left;
    }

    private void run(Runner runner, Evaluation evaluation, List<Contender> contenders, ResultsFile<Outcome> results) {
        int[] before = {-1};
        ProgressBar progress = new ProgressBar(console, evaluation.name());
        runner.run(evaluation.samples(), contenders, results, (outcome, done, total) -> {
            if (before[0] < 0) {
                before[0] = done - 1;
            }
            progress.update(done - before[0], total - before[0]);
        });
        progress.end();
    }

    private SequencedMap<String, String> setup(
            Evaluation evaluation, LanguageModel language, Runner.Compression compression) {
        SequencedMap<String, String> setup = new LinkedHashMap<>(evaluation.setup());
        setup.put("compress", compression.name().toLowerCase(Locale.ROOT));
        describe(setup, model, language);
        return setup;
    }

    /** Notes which model runs, and how. */
    static void describe(SequencedMap<String, String> setup, ModelOptions model, LanguageModel language) {
        setup.put("model", language.model().name());
        setup.put("fingerprint", ModelFingerprint.of(model.path()));
        setup.put("keys", language.options().keyType().name());
        setup.put("values", language.options().valueType().name());
        setup.put("weights", String.valueOf(language.options().quantizeTo()).replace("null", "as they are"));
    }

    /** Where results of a setup lie if nobody says where. */
    static Path usualFolder(String evaluation, SequencedMap<String, String> setup) {
        String digest = String.format(Locale.ROOT, "%08x", setup.hashCode());
        return Path.of("layercake-eval", evaluation + "-" + setup.get("model") + "-" + digest);
    }

    private void announce(LanguageModel language, Evaluation evaluation, List<Contender> contenders, Path folder) {
        int answers = evaluation.samples().size() * contenders.size();
        console.err()
                .println(language.model().name() + ": " + evaluation.name() + ", "
                        + Bars.number(evaluation.samples().size()) + " questions under " + contenders.size()
                        + " policies and budgets, " + Bars.number(answers) + " answers; results in " + folder);
    }

    private void tellOthers(int others) {
        if (others > 0) {
            console.err()
                    .println("Of earlier runs " + Bars.number(others) + " other answers lie in the folder; name their"
                            + " policies, budgets and lengths too to have them in the report.");
        }
    }

    private void print(Summary summary, List<Path> written) {
        if (who.json) {
            console.out().println(Table.json(summary));
        } else {
            console.out()
                    .println((summary.view().graded() ? "Scores of " : "Right answers of ")
                            + summary.setup().get("model") + " by "
                            + summary.view().columns() + ":");
            console.out().println();
            Table.lines(summary).forEach(console.out()::println);
            console.out().println();
            Table.legend(summary).forEach(console.out()::println);
        }
        summary.doubt().ifPresent(doubt -> console.err().println("note: " + doubt));
        console.err()
                .println("Wrote "
                        + String.join(", ", written.stream().map(Path::toString).toList()));
    }
}
