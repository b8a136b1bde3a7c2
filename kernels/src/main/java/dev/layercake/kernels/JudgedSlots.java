package dev.layercake.kernels;

/**
 * Which slots of a head some queries look at, as if there were no others: the first ones, those that are judged, and the
 * last ones.
 *
 * @param sinks slots {@code [0, sinks)}
 * @param from slots {@code [from, to)} are judged; at least {@code sinks}
 * @param own slots {@code [own, length)}; at least {@code to}
 */
public record JudgedSlots(int sinks, int from, int to, int own) {
    public JudgedSlots {
        if (sinks < 0 || from < sinks || to < from || own < to) {
            throw new IllegalArgumentException("slots below " + sinks + ", " + from + " to " + to + ", from " + own);
        }
    }

    /** How many are judged. */
    public int count() {
        return to - from;
    }

    boolean contains(int slot) {
        return slot < sinks || (slot >= from && slot < to) || slot >= own;
    }
}
