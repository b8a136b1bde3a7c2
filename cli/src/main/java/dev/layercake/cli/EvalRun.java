package dev.layercake.cli;

import dev.layercake.engine.LanguageModel;
import dev.layercake.engine.ModelFingerprint;
import dev.layercake.eval.Contender;
import dev.layercake.eval.Evaluation;
import dev.layercake.eval.Outcome;
import dev.layercake.eval.PromptEncoder;
import dev.layercake.eval.Report;
import dev.layercake.eval.ResultsFile;
import dev.layercake.eval.Runner;
import dev.layercake.eval.Summary;
import dev.layercake.eval.SyntheticTasks;
import dev.layercake.eval.Table;
import dev.layercake.kernels.LayercakeException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.SequencedMap;
import java.util.function.Function;

/** One run of an evaluation, from options to reports. */
final class EvalRun {
    private final Console console;
    private final ModelOptions model;
    private final EvalOptions options;

    EvalRun(Console console, ModelOptions model, EvalOptions options) {
        this.console = console;
        this.model = model;
        this.options = options;
    }

    int run(Function<SyntheticTasks, Evaluation> make) {
        List<Contender> contenders = options.who.contenders();
        Runner.Compression compression = options.compression();
        SyntheticTasks.Options texts = options.tasks();
        try (LanguageModel language = model.load()) {
            for (int length : options.lengths) {
                if (length < 1 || length > language.contextTokens()) {
                    throw LayercakeException.badInput("--lengths " + length + " does not fit the context of "
                            + language.model().name() + "; give at most " + language.contextTokens()
                            + ", or a larger context (-c, beyond what it was made for with --beyond-context).");
                }
            }
            SyntheticTasks tasks = new SyntheticTasks(new PromptEncoder(language.model()), texts);
            Evaluation whole = make.apply(tasks);
            Runner runner = new Runner(language, compression);
            Evaluation evaluation = options.skipInWindow ? outsideWindows(runner, whole, contenders) : whole;
            SequencedMap<String, String> setup = setup(evaluation, language, compression);
            Path folder = options.who.out != null ? options.who.out : usualFolder(evaluation.name(), setup);
            try (ResultsFile<Outcome> results = ResultsFile.open(folder, setup, Outcome.class)) {
                announce(language, evaluation, contenders, folder);
                Interruption.during(console, () -> run(runner, evaluation, contenders, results));
                List<Outcome> outcomes = results.outcomes(evaluation.ids(), contenders);
                Summary summary = Summary.of(evaluation, setup, outcomes);
                List<Path> written = Report.write(summary, folder);
                print(summary, written);
                tellOthers(results.outcomes().size() - outcomes.size());
            }
            return 0;
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
        if (options.who.json) {
            console.out().println(Table.json(summary));
        } else {
            console.out()
                    .println("Right answers of " + summary.setup().get("model") + " by "
                            + summary.view().columns() + ":");
            console.out().println();
            Table.lines(summary).forEach(console.out()::println);
            console.out().println();
            Table.legend(summary).forEach(console.out()::println);
        }
        console.err()
                .println("Wrote "
                        + String.join(", ", written.stream().map(Path::toString).toList()));
    }
}
