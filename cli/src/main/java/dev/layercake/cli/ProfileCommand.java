package dev.layercake.cli;

import dev.layercake.engine.LanguageModel;
import dev.layercake.eval.CalibrationText;
import dev.layercake.eval.HeadProfiler;
import dev.layercake.kernels.LayercakeException;
import dev.layercake.kv.policy.HeadDivision;
import dev.layercake.kv.policy.HeadProfile;
import dev.layercake.kv.policy.HeadProfile.Measure;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code layercake profile}: what policies such as baklava and duo want to know of a model beforehand. */
@Command(
        name = "profile",
        description =
                "Measures the KV heads of a model once, for policies that divide a budget by it: --measure value for"
                        + " baklava, duo for duo. With --budget it also looks for the division of that budget under which"
                        + " held-out text surprises the model least. Interrupted, it goes on where it stopped.")
final class ProfileCommand implements Callable<Integer> {
    private final Console console;

    @Mixin
    ModelOptions model = new ModelOptions();

    @Option(
            names = "--out",
            paramLabel = "FILE",
            required = true,
            description = "The profile. If it exists and was made with the same options, only what is missing is done.")
    Path out = Path.of("");

    @Option(
            names = "--measure",
            paramLabel = "WHICH",
            description =
                    "value (default): how little a head's output is like the token's own value; duo: how far back a"
                            + " head looks.")
    String measure = "value";

    @Option(
            names = "--budget",
            split = ",",
            paramLabel = "N",
            description = "Entries per head and layer to look for the best division of; one or several.")
    List<Integer> budgets = List.of();

    @Option(
            names = "--policy",
            paramLabel = "NAME",
            description =
                    "Which entries a head keeps while the search judges a division: snapkv (default) or streaming.")
    String policy = "snapkv";

    @Option(
            names = "--text",
            paramLabel = "PATH",
            description = "A text file, or a folder with *.txt; tasks of all families, generated here, if not given.")
    @Nullable
    Path text;

    @Option(names = "--prompts", paramLabel = "N", description = "Texts to measure on (default: 32; for duo 50).")
    int prompts;

    @Option(
            names = "--tokens",
            paramLabel = "N",
            description = "Tokens of each (default: 2048; for duo 500; at most the context).")
    int tokens;

    @Option(
            names = "--held-out",
            paramLabel = "N",
            description = "Further texts that the search judges by (default: ${DEFAULT-VALUE}).")
    int heldOut = 16;

    @Option(
            names = {"-s", "--seed"},
            paramLabel = "N",
            description = "Seed of generated texts (default: ${DEFAULT-VALUE}).")
    long seed = 1;

    ProfileCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        Measure wanted = measure();
        if (wanted == Measure.DUO && !budgets.isEmpty()) {
            throw LayercakeException.badInput(
                    "--budget means nothing with --measure duo, which divides heads in two kinds; leave it out.");
        }
        if (!List.of("snapkv", "streaming").contains(policy)) {
            throw LayercakeException.badInput(
                    "--policy cannot be '" + policy + "'; possible are snapkv and streaming.");
        }
        if (out.toString().isBlank() || out.toString().contains("\"")) {
            throw LayercakeException.badInput("--out cannot be '" + out + "'; give the path of a file without quotes.");
        }
        try (LanguageModel language = model.load()) {
            int length = tokens(language, wanted);
            int count = prompts > 0 ? prompts : wanted == Measure.DUO ? 50 : 32;
            HeadProfiler.Options options = new HeadProfiler.Options(wanted, count, length, heldOut);
            CalibrationText texts = text == null
                    ? CalibrationText.generated(language, length, seed)
                    : CalibrationText.files(language, text, length, count, budgets.isEmpty() ? 0 : heldOut);
            HeadProfiler profiler = new HeadProfiler(language, texts, options, out);
            console.err()
                    .println(language.model().name() + ": " + wanted.label() + ", " + count + " texts of "
                            + Bars.number(length) + " tokens (" + texts.identity() + ")");
            Interruption.during(console, () -> work(profiler));
            print(HeadProfile.read(out));
            return 0;
        }
    }

    private Measure measure() {
        return Arrays.stream(Measure.values())
                .filter(known -> known.label().equals(measure))
                .findFirst()
                .orElseThrow(() -> LayercakeException.badInput(
                        "--measure cannot be '" + measure + "'; possible are value and duo."));
    }

    private int tokens(LanguageModel language, Measure wanted) {
        int most = language.contextTokens();
        if (tokens > most) {
            throw LayercakeException.badInput("--tokens " + tokens + " does not fit the context of "
                    + language.model().name() + "; give at most " + most
                    + ", or a larger context (-c, beyond what it was made for with --beyond-context).");
        }
        return tokens > 0 ? tokens : Math.min(most, wanted == Measure.DUO ? 500 : 2048);
    }

    private void work(HeadProfiler profiler) {
        ProgressBar measuring = new ProgressBar(console, "measuring");
        HeadProfile profile = profiler.calibrate(measuring::update);
        measuring.end();
        for (int budget : budgets) {
            if (profile.settings().stream()
                    .noneMatch(setting ->
                            setting.budget() == budget && setting.policy().equals(policy))) {
                ProgressBar searching = new ProgressBar(console, "dividing " + budget);
                profile = profiler.search(profile, budget, policy, searching::update);
                searching.end();
            } else {
                console.err()
                        .println("Budget " + budget + " was searched before, with what was held out then; give another"
                                + " file with --out to search again.");
            }
        }
        profiler.finish();
    }

    private void print(HeadProfile profile) {
        console.out().println("What was measured, by layer and KV head:");
        console.out().println();
        for (int layer = 0; layer < profile.layers(); layer++) {
            StringBuilder line = new StringBuilder(String.format(Locale.ROOT, "%5d ", layer));
            for (int head = 0; head < profile.kvHeads(); head++) {
                line.append(String.format(Locale.ROOT, " %6.3f", profile.of(layer, head)));
            }
            console.out().println(line);
        }
        if (!profile.settings().isEmpty()) {
            console.out().println();
        }
        for (HeadProfile.Setting setting : profile.settings()) {
            console.out()
                    .println(String.format(
                            Locale.ROOT,
                            "Budget %d, %s: %s; perplexity of held-out continuations %.3f, with equal budgets %.3f",
                            setting.budget(),
                            setting.policy(),
                            words(setting.division()),
                            Math.exp(setting.loss()),
                            Math.exp(setting.uniformLoss())));
        }
        console.err().println("Wrote " + out);
    }

    private static String words(HeadDivision division) {
        if (division.equals(HeadDivision.UNIFORM)) {
            return "equal budgets";
        }
        return division.rule() == HeadDivision.Rule.POWER
                ? "power=" + division.power() + ", least=" + division.least()
                : "share=" + division.share() + ", factor=" + division.factor();
    }
}
