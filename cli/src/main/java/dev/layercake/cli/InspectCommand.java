package dev.layercake.cli;

import dev.layercake.engine.Bytes;
import dev.layercake.engine.LanguageModel;
import dev.layercake.engine.MemoryPlan;
import dev.layercake.kv.KvLayout;
import dev.layercake.kv.KvPlan;
import dev.layercake.kv.policy.KvPolicy;
import dev.layercake.kv.policy.Policies;
import dev.layercake.model.Model;
import dev.layercake.model.ModelConfig;
import dev.layercake.model.format.TensorInfo;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code layercake inspect}: what a checkpoint is, and what its cache will cost. */
@Command(
        name = "inspect",
        description =
                "Shows a checkpoint's architecture, tensors and sizes, and the KV memory of long texts under policies.")
final class InspectCommand implements Callable<Integer> {
    private static final List<Integer> USUAL_LENGTHS = List.of(4096, 8192, 16_384, 32_768, 65_536, 131_072);

    private final Console console;

    @Mixin
    ModelOptions model = new ModelOptions();

    @Option(
            names = "--kv",
            paramLabel = "SPEC",
            description = "A policy for the table of KV memory; may be given several times.")
    List<String> kv =
            List.of("full", "cake(budget=512)", "cake(budget=1024)", "cake(budget=2048)", "cake(budget=4096)");

    @Option(names = "--tensors", description = "List every tensor; otherwise those of the layers are put together.")
    boolean tensors;

    @Option(names = "--json", description = "Print one JSON object instead.")
    boolean json;

    InspectCommand(Console console) {
        this.console = console;
    }

    /** What {@code --json} prints. */
    private record Report(
            String name,
            String format,
            String architecture,
            long parameters,
            long weightBytes,
            int layers,
            int hiddenSize,
            int feedForwardSize,
            int queryHeads,
            int kvHeads,
            int headDim,
            int vocabularySize,
            int contextLength,
            boolean chatTemplate,
            long kvBytesPerToken,
            long workingBytes,
            long jvmBytes,
            List<Cell> kvMemory,
            List<Line> tensors) {}

    /** KV memory of one policy at one length. */
    private record Cell(String policy, int tokens, long keptBytes, long peakBytes) {}

    /** A tensor, or several of one kind. */
    private record Line(String name, String type, List<Long> shape, int count, long bytes) {}

    @Override
    public Integer call() {
        List<KvPolicy> policies = kv.stream().map(Policies::parse).toList();
        try (LanguageModel language = model.load()) {
            Model loaded = language.model();
            KvLayout layout = loaded.config()
                    .kvLayout(language.options().keyType(), language.options().valueType());
            List<Integer> lengths = lengths(language.contextTokens());
            // What is the same under every policy, for the longest text.
            MemoryPlan plan = language.plan(Policies.full(), language.contextTokens(), 0);
            Report report = report(loaded, layout, policies, lengths, plan);
            if (json) {
                Json.print(console.out(), report);
            } else {
                describe(report, layout);
                describeMemory(report, language.contextTokens());
                tensors(report);
                kvTable(report, policies, lengths);
            }
            return 0;
        }
    }

    /** The usual lengths below what a text may have, and that. */
    private static List<Integer> lengths(int contextTokens) {
        List<Integer> lengths = new ArrayList<>(USUAL_LENGTHS);
        lengths.removeIf(length -> length >= contextTokens);
        lengths.add(contextTokens);
        return lengths;
    }

    private Report report(
            Model loaded, KvLayout layout, List<KvPolicy> policies, List<Integer> lengths, MemoryPlan memory) {
        ModelConfig config = loaded.config();
        List<Cell> cells = new ArrayList<>();
        for (int length : lengths) {
            for (KvPolicy policy : policies) {
                KvPlan plan = KvPlan.of(layout, policy, length, 0);
                cells.add(new Cell(policy.spec(), length, plan.keptBytes(), plan.peakBytes()));
            }
        }
        return new Report(
                loaded.name(),
                loaded.format(),
                config.architecture(),
                loaded.parameters(),
                loaded.weightBytes(),
                config.layerCount(),
                config.hiddenSize(),
                loaded.feedForwardSize(),
                config.queryHeads(),
                config.kvHeads(),
                config.headDim(),
                config.vocabularySize(),
                config.contextLength(),
                loaded.chatTemplate().isPresent(),
                layout.tokenBytes(),
                memory.workingBytes(),
                memory.jvmBytes(),
                cells,
                json || tensors ? all(loaded.tensors()) : together(loaded.tensors()));
    }

    private void describe(Report report, KvLayout layout) {
        say("model", report.name() + " (" + report.format() + ")");
        say("architecture", report.architecture());
        say("parameters", Bars.number(report.parameters()));
        say("weights", Bytes.text(report.weightBytes()));
        say(
                "layers",
                report.layers() + ", hidden " + report.hiddenSize() + ", feed-forward " + report.feedForwardSize());
        say("heads", report.queryHeads() + " query heads on " + report.kvHeads() + " KV heads of " + report.headDim());
        say("vocabulary", Bars.number(report.vocabularySize()));
        say("context", Bars.number(report.contextLength()) + " tokens");
        say("chat template", report.chatTemplate() ? "yes" : "no");
        say(
                "KV a token",
                Bars.number(report.kvBytesPerToken()) + " bytes (" + layout.keyType() + " keys, " + layout.valueType()
                        + " values)");
    }

    /** What a process holds beside weights and KV memory. */
    private void describeMemory(Report report, int contextTokens) {
        say(
                "working memory",
                Bytes.text(report.workingBytes()) + " while " + Bars.number(contextTokens)
                        + " tokens are read under full");
        say("Java VM", "about " + Bytes.text(report.jvmBytes()) + " (heap, classes, compiled code and its compilers)");
    }

    private void say(String label, String value) {
        console.out().printf("%-15s %s%n", label, value);
    }

    private void tensors(Report report) {
        if (report.tensors().isEmpty()) {
            return;
        }
        console.out().println();
        int width = report.tensors().stream()
                .mapToInt(line -> line.name().length())
                .max()
                .orElse(0);
        for (Line line : report.tensors()) {
            String count = line.count() == 1 ? "" : "  x " + line.count();
            console.out()
                    .printf(
                            Locale.ROOT,
                            "%-" + width + "s  %-5s %-16s %9s%s%n",
                            line.name(),
                            line.type(),
                            line.shape(),
                            Bytes.text(line.bytes()),
                            count);
        }
    }

    private void kvTable(Report report, List<KvPolicy> policies, List<Integer> lengths) {
        console.out().println();
        console.out().println("KV memory after a prompt, and at the peak while it is read");
        StringBuilder head = new StringBuilder(String.format(Locale.ROOT, "%10s", "tokens"));
        for (KvPolicy policy : policies) {
            head.append(String.format(Locale.ROOT, "  %21s", column(policy)));
        }
        console.out().println(head);
        int index = 0;
        for (int length : lengths) {
            String tokens = length % 1024 == 0 ? length / 1024 + "K" : Bars.number(length);
            StringBuilder row = new StringBuilder(String.format(Locale.ROOT, "%10s", tokens));
            for (int column = 0; column < policies.size(); column++) {
                Cell cell = report.kvMemory().get(index++);
                row.append(String.format(
                        Locale.ROOT, "  %9s / %9s", Bytes.text(cell.keptBytes()), Bytes.text(cell.peakBytes())));
            }
            console.out().println(row);
        }
    }

    private static String column(KvPolicy policy) {
        return policy.budget() > 0 ? policy.name() + " " + Bars.number(policy.budget()) : policy.name();
    }

    private static List<Line> all(List<TensorInfo> infos) {
        return infos.stream()
                .map(info -> new Line(info.name(), info.dtypeName(), info.shape(), 1, info.bytes()))
                .toList();
    }

    /** Tensors whose names differ only in a number, and that are alike otherwise, become one line. */
    private static List<Line> together(List<TensorInfo> infos) {
        Map<String, Line> lines = new LinkedHashMap<>();
        for (TensorInfo info : infos) {
            String name = info.name().replaceAll("(?<=\\.|^)[0-9]+(?=\\.)", "*");
            String key = name + info.dtypeName() + info.shape();
            Line line = new Line(name, info.dtypeName(), info.shape(), 1, info.bytes());
            lines.merge(
                    key,
                    line,
                    (known, more) -> new Line(
                            known.name(),
                            known.type(),
                            known.shape(),
                            known.count() + 1,
                            known.bytes() + more.bytes()));
        }
        return List.copyOf(lines.values());
    }
}
