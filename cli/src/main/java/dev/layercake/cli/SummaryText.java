package dev.layercake.cli;

import dev.layercake.engine.Bytes;
import dev.layercake.engine.FinishReason;
import dev.layercake.engine.GenerationSummary;
import dev.layercake.engine.KvUsage;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** A generation's figures as a person reads them. */
final class SummaryText {
    private static final int CAKE_WIDTH = 40;

    private SummaryText() {}

    static List<String> lines(GenerationSummary summary, boolean blocks) {
        List<String> lines = new ArrayList<>();
        lines.add("prompt  " + tokens(summary.promptTokens()) + in(summary.prefillNanos(), summary.prefillSpeed())
                + (summary.firstTokenNanos() > 0 ? ", first token after " + seconds(summary.firstTokenNanos()) : ""));
        lines.add("answer  " + tokens(summary.tokens().size()) + in(summary.decodeNanos(), summary.decodeSpeed()) + ", "
                + ended(summary.finishReason()));
        lines.add("KV      " + memory(summary.kv()));
        lines.addAll(cake(summary.kv(), blocks));
        return lines;
    }

    /** One line about a text that was read before any question. */
    static String compressed(GenerationSummary summary) {
        return "context " + tokens(summary.promptTokens()) + in(summary.prefillNanos(), summary.prefillSpeed())
                + "; KV " + memory(summary.kv());
    }

    /** KV memory now, at its peak, and what it would be without a policy. */
    static String memory(KvUsage kv) {
        String share = kv.bytesFull() == 0
                ? ""
                : String.format(Locale.ROOT, " (%.0f %%)", 100.0 * kv.bytesNow() / kv.bytesFull());
        return Bytes.text(kv.bytesNow()) + " now" + share + ", " + Bytes.text(kv.bytesPeak())
                + " at its peak; full would take " + Bytes.text(kv.bytesFull()) + slow(kv);
    }

    private static String slow(KvUsage kv) {
        return kv.bytesSlow() == 0 ? "" : "; " + Bytes.text(kv.bytesSlow()) + " in the slow tier";
    }

    /** A headline and a bar per layer. */
    static List<String> cake(KvUsage kv, boolean blocks) {
        List<String> lines = new ArrayList<>();
        lines.add("slices  entries per head and layer under " + kv.policy());
        List<String> bars = Bars.cake(kv, Bars.largest(kv), CAKE_WIDTH, blocks);
        for (int layer = 0; layer < bars.size(); layer++) {
            lines.add("  " + Bars.layer(layer, bars.size()) + "  " + bars.get(layer));
        }
        return lines;
    }

    static String tokens(int count) {
        return Bars.number(count) + (count == 1 ? " token" : " tokens");
    }

    static String seconds(long nanos) {
        double seconds = nanos / 1e9;
        return String.format(Locale.ROOT, seconds < 10 ? "%.2f s" : "%.1f s", seconds);
    }

    static String speed(double tokensPerSecond) {
        return tokensPerSecond < 100
                ? String.format(Locale.ROOT, "%.1f tokens/s", tokensPerSecond)
                : Bars.number(Math.round(tokensPerSecond)) + " tokens/s";
    }

    private static String in(long nanos, double speed) {
        return nanos == 0 ? "" : " in " + seconds(nanos) + " (" + speed(speed) + ")";
    }

    private static String ended(FinishReason reason) {
        return switch (reason) {
            case STOP -> "ended by the model";
            case LENGTH -> "ended at the length asked for";
            case STOP_STRING -> "ended at a stop string";
            case CANCELLED -> "cancelled";
        };
    }
}
