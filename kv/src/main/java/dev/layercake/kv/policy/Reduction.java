package dev.layercake.kv.policy;

import java.util.Locale;

/** How the scores of the query heads that share a KV head become one. */
enum Reduction {
    /** Their mean. */
    MEAN,
    /** The largest of them. */
    MAX;

    /** Adds a member's row to what the group has so far; the first member's target holds zeros. */
    void add(double[] row, int count, int group, boolean first, double[] target) {
        for (int i = 0; i < count; i++) {
            if (this == MEAN) {
                target[i] += row[i] / group;
            } else {
                target[i] = first ? row[i] : Math.max(target[i], row[i]);
            }
        }
    }

    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** What the parameter {@code reduce} says. */
    static Reduction of(Settings settings) {
        return settings.word("reduce").equals("mean") ? MEAN : MAX;
    }
}
