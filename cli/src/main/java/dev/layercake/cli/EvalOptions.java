package dev.layercake.cli;

import dev.layercake.eval.Runner.Compression;
import dev.layercake.eval.SyntheticTasks;
import dev.layercake.eval.TextMatch;
import dev.layercake.kernels.LayercakeException;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** The options that evaluations share. */
final class EvalOptions {
    private static final String TRAINED = "trained";
    private static final String BEGUN = "begun";

    @Option(
            names = "--lengths",
            split = ",",
            paramLabel = "N",
            description = "Tokens of prompt and answer together (default: 512,1024).")
    List<Integer> lengths = List.of(512, 1024);

    @Mixin
    ContenderOptions who = new ContenderOptions();

    @Option(
            names = "--samples",
            paramLabel = "N",
            description = "Questions for each cell of the grid (default: ${DEFAULT-VALUE}).")
    int samples = 2;

    @Option(
            names = {"-s", "--seed"},
            paramLabel = "N",
            description = "Seed of texts and questions (default: ${DEFAULT-VALUE}).")
    long seed = 1;

    @Option(
            names = "--haystack",
            paramLabel = "DIR",
            description = "A folder with text files (*.txt) to hide facts in; generated prose if not given.")
    @Nullable
    Path haystack;

    @Option(
            names = "--question",
            paramLabel = "WHERE",
            description = "Where the question stands: end (default), or before: before the text and behind it.")
    String question = "end";

    @Option(
            names = "--phrasings",
            paramLabel = "WHICH",
            description =
                    "Sentences and questions as the bundled model was trained on (trained, its default), new ones (new),"
                            + " or new ones where the answer's first words are given (begun, the default of other models): small chat"
                            + " models come to the point then, and base models complete a sentence.")
    @Nullable
    String phrasings;

    @Option(
            names = "--compress",
            paramLabel = "WHAT",
            description =
                    "What a policy cuts: the prompt (default), question in sight, or the context, before the question"
                            + " is known; the latter is harder.")
    String compress = "prompt";

    @Option(
            names = "--scoring",
            paramLabel = "HOW",
            description =
                    "exact (default of the bundled model), or contains (of others): the facts asked for occur in the answer, for"
                            + " talkative models.")
    @Nullable
    String scoring;

    @Option(
            names = "--skip-in-window",
            description = "Leave out questions whose answer lies in the window of one of the policies, the last tokens"
                    + " that it always keeps: no policy can lose it there.")
    boolean skipInWindow;

    /**
     * What was asked for.
     *
     * @param bundled whether it is asked of the bundled model, which knows these tasks and answers with a word
     */
    SyntheticTasks.Options tasks(boolean bundled) {
        String phrased = phrasings != null ? phrasings : bundled ? TRAINED : BEGUN;
        if (!List.of(TRAINED, "new", BEGUN).contains(phrased)) {
            throw LayercakeException.badInput(
                    "--phrasings cannot be '" + phrased + "'; possible are trained, new and begun.");
        }
        return new SyntheticTasks.Options(
                samples,
                seed,
                haystack,
                choice("--question", question, "end", "before").equals("before"),
                !phrased.equals(TRAINED),
                phrased.equals(BEGUN),
                scoring != null ? TextMatch.parse(scoring) : bundled ? TextMatch.EXACT : TextMatch.CONTAINS);
    }

    Compression compression() {
        return choice("--compress", compress, "prompt", "context").equals("prompt")
                ? Compression.PROMPT
                : Compression.CONTEXT;
    }

    private static String choice(String option, String given, String first, String second) {
        if (!given.equals(first) && !given.equals(second)) {
            throw LayercakeException.badInput(
                    option + " cannot be '" + given + "'; possible are " + first + " and " + second + ".");
        }
        return given;
    }
}
