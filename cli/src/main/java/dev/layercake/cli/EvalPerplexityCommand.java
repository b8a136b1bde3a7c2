package dev.layercake.cli;

import dev.layercake.engine.LanguageModel;
import dev.layercake.eval.Contender;
import dev.layercake.eval.Excerpt;
import dev.layercake.eval.Excerpts;
import dev.layercake.eval.LikelihoodRunner;
import dev.layercake.eval.LikelihoodSummary;
import dev.layercake.eval.LikelihoodTable;
import dev.layercake.eval.Likelihoods;
import dev.layercake.eval.ResultsFile;
import dev.layercake.kernels.LayercakeException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code layercake eval perplexity}: how far a policy moves what a model expects of a text. */
@Command(
        name = "perplexity",
        description =
                "Has the model read excerpts of texts, and continue each as it is, token by token: perplexity of what"
                        + " follows, and how far its log-probabilities are from those with the full cache.")
final class EvalPerplexityCommand implements Callable<Integer> {
    private static final String NAME = "perplexity";

    private final Console console;

    @Mixin
    ModelOptions model = new ModelOptions();

    @Mixin
    ContenderOptions who = new ContenderOptions();

    @Option(
            names = "--text",
            paramLabel = "PATH",
            description = "A text file, or a folder with *.txt; may be given several times. Generated prose if not"
                    + " given.")
    List<Path> texts = List.of();

    @Option(
            names = "--excerpts",
            paramLabel = "N",
            description = "How many, over all texts, evenly spread (default: ${DEFAULT-VALUE}).")
    int excerpts = 8;

    @Option(
            names = "--tokens",
            paramLabel = "N",
            description = "Tokens of an excerpt that are read, and cut by the policy (default: ${DEFAULT-VALUE}).")
    int tokens = 1024;

    @Option(
            names = "--next",
            paramLabel = "N",
            description = "Tokens after these that are judged (default: ${DEFAULT-VALUE}).")
    int next = 128;

    @Option(
            names = {"-s", "--seed"},
            paramLabel = "N",
            description = "Seed of generated prose (default: ${DEFAULT-VALUE}).")
    long seed = 1;

    EvalPerplexityCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        if (excerpts < 1 || tokens < 1 || next < 1) {
            throw LayercakeException.badInput("--excerpts, --tokens and --next must be at least 1.");
        }
        List<Contender> contenders = LikelihoodRunner.withFull(who.contenders());
        try (LanguageModel language = model.load()) {
            if ((long) tokens + next > language.contextTokens()) {
                throw LayercakeException.badInput("--tokens " + tokens + " and --next " + next
                        + " do not fit the context of " + language.model().name() + "; give at most "
                        + language.contextTokens()
                        + " together, or a larger context (-c, beyond what it was made for with --beyond-context).");
            }
            Excerpts taken = new Excerpts(language.model().tokenizer(), tokens, next);
            List<Excerpt> chosen = texts.isEmpty() ? taken.generated(seed, excerpts) : taken.of(texts, excerpts);
            SequencedMap<String, String> setup = setup(language);
            Path folder = who.out != null ? who.out : EvalRun.usualFolder(NAME, setup);
            try (ResultsFile<Likelihoods> results = ResultsFile.open(folder, setup, Likelihoods.class)) {
                console.err()
                        .println(language.model().name() + ": " + Bars.number(chosen.size()) + " excerpts of "
                                + Bars.number(tokens) + " tokens, then " + Bars.number(next) + ", under "
                                + contenders.size() + " policies and budgets; results in " + folder);
                Interruption.during(console, () -> run(language, chosen, contenders, results));
                report(LikelihoodSummary.of(setup, results.outcomes(LikelihoodRunner.ids(chosen), contenders)), folder);
            }
            return 0;
        }
    }

    private SequencedMap<String, String> setup(LanguageModel language) {
        SequencedMap<String, String> setup = new LinkedHashMap<>();
        setup.put("evaluation", NAME);
        setup.put("tokens", Integer.toString(tokens));
        setup.put("next", Integer.toString(next));
        EvalRun.describe(setup, model, language);
        return setup;
    }

    private void run(
            LanguageModel language,
            List<Excerpt> chosen,
            List<Contender> contenders,
            ResultsFile<Likelihoods> results) {
        int before = results.outcomes(LikelihoodRunner.ids(chosen), contenders).size();
        ProgressBar progress = new ProgressBar(console, NAME);
        new LikelihoodRunner(language)
                .run(
                        chosen,
                        contenders,
                        results,
                        (outcome, done, total) -> progress.update(done - before, total - before));
        progress.end();
    }

    private void report(LikelihoodSummary summary, Path folder) {
        List<Path> written = LikelihoodTable.write(summary, folder);
        if (who.json) {
            console.out().println(LikelihoodTable.json(summary));
        } else {
            LikelihoodTable.lines(summary).forEach(console.out()::println);
            console.out().println();
            LikelihoodTable.legend().forEach(console.out()::println);
        }
        console.err()
                .println("Wrote "
                        + String.join(", ", written.stream().map(Path::toString).toList()));
    }
}
