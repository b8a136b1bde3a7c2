package dev.layercake.cli;

import dev.layercake.engine.GenerationSummary;
import dev.layercake.engine.KvUsage;
import dev.layercake.engine.LanguageModel;
import dev.layercake.engine.MemoryPlan;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;

/**
 * What {@code layercake run --json} prints.
 *
 * @param finishReason stop, length, stop_string or cancelled
 */
record RunReport(
        String model,
        String policy,
        String text,
        List<Integer> tokens,
        String finishReason,
        Timing timing,
        Memory memory,
        List<Integer> entriesPerHead) {

    /** How long it took. */
    record Timing(
            int promptTokens,
            double prefillSeconds,
            double prefillTokensPerSecond,
            double firstTokenSeconds,
            int answerTokens,
            double decodeSeconds,
            double decodeTokensPerSecond) {}

    /** Bytes, planned and used. */
    record Memory(
            long weightBytes,
            long plannedKvPeakBytes,
            long plannedWorkingBytes,
            long plannedJvmBytes,
            long plannedTotalBytes,
            long kvBytesNow,
            long kvBytesPeak,
            long kvBytesFull) {}

    static RunReport of(LanguageModel language, GenerationSummary summary) {
        KvUsage kv = summary.kv();
        MemoryPlan plan = summary.plan();
        return new RunReport(
                language.model().name(),
                kv.policy(),
                summary.text(),
                summary.tokens(),
                summary.finishReason().name().toLowerCase(Locale.ROOT),
                new Timing(
                        summary.promptTokens(),
                        summary.prefillNanos() / 1e9,
                        summary.prefillSpeed(),
                        summary.firstTokenNanos() / 1e9,
                        summary.tokens().size(),
                        summary.decodeNanos() / 1e9,
                        summary.decodeSpeed()),
                new Memory(
                        plan.weightBytes(),
                        plan.kvPeakBytes(),
                        plan.workingBytes(),
                        plan.jvmBytes(),
                        plan.totalBytes(),
                        kv.bytesNow(),
                        kv.bytesPeak(),
                        kv.bytesFull()),
                IntStream.range(0, kv.slices().size())
                        .mapToObj(kv::entriesPerHead)
                        .toList());
    }
}
