package dev.layercake.cli;

import dev.layercake.engine.Bytes;
import dev.layercake.engine.LanguageModel;
import dev.layercake.engine.ReadBandwidth;
import dev.layercake.engine.SpeedTest;
import dev.layercake.kernels.DType;
import dev.layercake.kernels.LayercakeException;
import dev.layercake.kv.policy.KvPolicy;
import dev.layercake.kv.policy.Policies;
import dev.layercake.model.GgufModelWriter;
import dev.layercake.model.Model;
import dev.layercake.model.ModelShape;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code layercake bench}: how fast prompts are read and tokens decoded, at several depths of text. */
@Command(
        name = "bench",
        description = "Measures prefill and decode speed after so and so many tokens of text, and the machine's read"
                + " bandwidth in the same run. The text before is not computed: the cache is filled with seeded random"
                + " entries that pass through the policy.")
final class BenchCommand implements Callable<Integer> {
    private final Console console;

    @Mixin
    ModelOptions model = new ModelOptions();

    @Option(
            names = "--shape",
            paramLabel = "NAME",
            description = "Random weights of a well-known shape instead of -m, for example llama-3.2-1b.")
    @Nullable
    String shape;

    @Option(
            names = "--dtype",
            paramLabel = "TYPE",
            description = "Type of these weights: f32, f16, bf16, q8_0 (default) or q4_0.")
    String dtype = "q8_0";

    @Option(
            names = "--save",
            paramLabel = "FILE",
            description = "Write these weights to a GGUF file as well, without a tokenizer; for other engines.")
    @Nullable
    Path save;

    @Option(
            names = {"-p", "--n-prompt"},
            split = ",",
            paramLabel = "N",
            description = "Lengths of prompts; 0 for none (default: 512).")
    List<Integer> promptTokens = List.of(512);

    @Option(
            names = {"-n", "--n-gen"},
            split = ",",
            paramLabel = "N",
            description = "Numbers of tokens to decode; 0 for none (default: 32).")
    List<Integer> newTokens = List.of(32);

    @Option(
            names = {"-d", "--n-depth"},
            split = ",",
            paramLabel = "N",
            description = "Tokens of text before (default: 0).")
    List<Integer> depths = List.of(0);

    @Option(names = "--kv", paramLabel = "SPEC", description = "A policy; may be given several times (default: full).")
    List<String> kv = List.of("full");

    @Option(
            names = {"-r", "--repetitions"},
            paramLabel = "N",
            description = "Measurements per row, after two seconds or one that warm up (default: ${DEFAULT-VALUE}).")
    int repetitions = 3;

    @Option(
            names = {"-s", "--seed"},
            paramLabel = "N",
            description = "Seed of random weights, tokens and entries (default: ${DEFAULT-VALUE}).")
    long seed = 1;

    @Option(names = "--json", description = "Print one JSON object instead.")
    boolean json;

    BenchCommand(Console console) {
        this.console = console;
    }

    /** What {@code --json} prints. */
    private record Report(
            String model,
            String format,
            long parameters,
            long weightBytes,
            String backend,
            int threads,
            double readBytesPerSecond,
            List<Row> rows) {}

    /** One measurement. */
    private record Row(
            String policy,
            String test,
            int depth,
            int tokens,
            double tokensPerSecond,
            double deviation,
            List<Double> samples,
            double policyShare,
            long kvBytes,
            double readBytesPerSecond,
            double bandwidthShare) {}

    @Override
    public Integer call() {
        requireSense();
        List<KvPolicy> policies = kv.stream().map(Policies::parse).toList();
        try (LanguageModel language = language()) {
            String backend = language.kernelName();
            console.err().println(language.kernelDescription());
            double bandwidth = ReadBandwidth.bytesPerSecond(language.options().threads());
            if (!json) {
                head(language, bandwidth);
            }
            SpeedTest speedTest = new SpeedTest(language, seed);
            List<Row> rows = new ArrayList<>();
            try {
                measure(rows, language, policies, speedTest);
            } finally {
                // What was measured before a row failed is told too.
                if (json) {
                    Json.print(console.out(), report(language, backend, bandwidth, rows));
                }
            }
            if (!json) {
                console.out().println();
                console.out()
                        .println(
                                "policy: its part of the row's time. share: weights and entries read, of the read bandwidth "
                                        + "measured right after the row.");
            }
            return 0;
        }
    }

    private void measure(List<Row> rows, LanguageModel language, List<KvPolicy> policies, SpeedTest speedTest) {
        for (KvPolicy policy : policies) {
            for (int depth : depths) {
                for (int tokens : promptTokens) {
                    if (tokens > 0) {
                        add(rows, language, policy, speedTest.prefill(policy, depth, tokens, repetitions));
                    }
                }
                for (int tokens : newTokens) {
                    if (tokens > 0) {
                        add(rows, language, policy, speedTest.decode(policy, depth, tokens, repetitions));
                    }
                }
            }
        }
    }

    private static Report report(LanguageModel language, String backend, double bandwidth, List<Row> rows) {
        Model measured = language.model();
        return new Report(
                measured.name(),
                measured.format(),
                measured.parameters(),
                measured.weightBytes(),
                backend,
                language.options().threads(),
                bandwidth,
                rows);
    }

    private void requireSense() {
        if (shape != null && model.model != null) {
            throw LayercakeException.badInput("--shape and -m exclude each other; give one of them.");
        }
        if (save != null && shape == null) {
            throw LayercakeException.badInput("--save writes the random weights of a --shape; give one.");
        }
        if (Stream.of(promptTokens, newTokens).flatMap(List::stream).allMatch(count -> count == 0)) {
            throw LayercakeException.badInput("There is nothing to measure; give -p or -n a number above 0.");
        }
        if (repetitions < 1 || repetitions > 1000) {
            throw LayercakeException.badInput("-r must be from 1 to 1000, not " + repetitions + ".");
        }
        for (List<Integer> counts : List.of(promptTokens, newTokens, depths)) {
            for (int count : counts) {
                if (count < 0 || count > 1 << 24) {
                    throw LayercakeException.badInput(
                            "-p, -n and -d must be from 0 to " + (1 << 24) + ", not " + count + ".");
                }
            }
        }
    }

    private LanguageModel language() {
        if (shape == null) {
            return model.load();
        }
        DType type = ModelOptions.type("--dtype", dtype, DType.F32, DType.F16, DType.BF16, DType.Q8_0, DType.Q4_0);
        ModelShape wanted = ModelShape.named(shape);
        console.err().println("making random weights of the shape " + wanted.name() + " in " + type + "...");
        Model random = Model.random(wanted, type, seed);
        if (save != null) {
            GgufModelWriter.write(random, save);
            console.err().println("wrote " + save);
        }
        return LanguageModel.of(random, model.engineOptions());
    }

    private void head(LanguageModel language, double bandwidth) {
        console.out()
                .printf(
                        Locale.ROOT,
                        "Reading memory with %d threads: %.1f GB/s.%n%n",
                        language.options().threads(),
                        bandwidth / 1e9);
        print("model", "size", "params", "backend", "threads", "kv", "test", "t/s", "policy", "KV memory", "share");
        console.out()
                .println("|" + "-".repeat(18) + "|" + "-".repeat(11) + ":|" + "-".repeat(8) + ":|" + "-".repeat(9) + "|"
                        + "-".repeat(8) + ":|" + "-".repeat(20) + "|" + "-".repeat(18) + ":|" + "-".repeat(19) + ":|"
                        + "-".repeat(7) + ":|"
                        + "-".repeat(10) + ":|" + "-".repeat(6) + ":|");
    }

    private void add(List<Row> rows, LanguageModel language, KvPolicy policy, SpeedTest.Result result) {
        // Right after the measurement: what a machine reads varies from minute to minute.
        double bandwidth = result.prefill()
                ? 0
                : ReadBandwidth.bytesPerSecond(language.options().threads());
        String test = (result.prefill() ? "pp" : "tg")
                + result.tokens()
                + (result.depth() == 0 ? "" : " @ d" + result.depth());
        double share = result.prefill() ? 0 : result.bytesPerSecond() / bandwidth;
        rows.add(new Row(
                policy.spec(),
                test,
                result.depth(),
                result.tokens(),
                result.mean(),
                result.deviation(),
                result.speeds(),
                result.policyShare(),
                result.kvBytes(),
                bandwidth,
                share));
        if (!json) {
            print(
                    language.model().name(),
                    Bytes.text(language.model().weightBytes()),
                    parameters(language.model().parameters()),
                    language.kernelName(),
                    String.valueOf(language.options().threads()),
                    policy.budget() > 0 ? policy.name() + " " + policy.budget() : policy.name(),
                    test,
                    String.format(Locale.ROOT, "%.2f \u00b1 %.2f", result.mean(), result.deviation()),
                    String.format(Locale.ROOT, "%.1f %%", result.policyShare() * 100),
                    Bytes.text(result.kvBytes()),
                    result.prefill() ? "" : String.format(Locale.ROOT, "%.0f %%", share * 100));
            console.out().flush();
        }
    }

    private void print(String... cells) {
        console.out()
                .printf(
                        Locale.ROOT,
                        "| %-16s | %10s | %7s | %7s | %7s | %-18s | %17s | %18s | %6s | %9s | %5s |%n",
                        (Object[]) cells);
    }

    private static String parameters(long count) {
        return count >= 1_000_000_000
                ? String.format(Locale.ROOT, "%.2f B", count / 1e9)
                : String.format(Locale.ROOT, "%.2f M", count / 1e6);
    }
}
