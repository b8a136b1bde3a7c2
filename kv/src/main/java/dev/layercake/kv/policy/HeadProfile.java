package dev.layercake.kv.policy;

import dev.layercake.kernels.LayercakeException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * What a calibration found out about the KV heads of a model, once and for all prompts ({@code layercake profile}). See
 * {@link HeadProfileFile} for how it lies on disk.
 *
 * @param model its name, for people
 * @param fingerprint of the model's files; empty if they were not known
 * @param group query heads per KV head
 * @param measure what the numbers mean
 * @param heads [layers][kvHeads], from 0 to 2
 * @param blocks a number for each layer as a whole, from 0 to 2
 * @param prompts of the calibration
 * @param tokens per prompt
 * @param text where they came from
 * @param date when, as {@code 2026-11-22}
 * @param settings what a search chose, at most one per budget and token policy
 */
public record HeadProfile(
        String model,
        String fingerprint,
        int group,
        Measure measure,
        List<List<Double>> heads,
        List<Double> blocks,
        int prompts,
        int tokens,
        String text,
        String date,
        List<Setting> settings) {
    /** What the numbers of a profile mean. */
    public enum Measure {
        /** 1 - the mean cosine between a token's value and what its query heads read: BaKlaVa's importance. */
        VALUE,
        /** How far back a head looks, from 0 (at itself) to 1 (at the beginning): DuoAttention's retrieval score. */
        DUO;

        /** As written in a file and on the command line. */
        public String label() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    /**
     * What a search chose for a budget.
     *
     * @param budget entries per head and layer on average
     * @param policy which entries a head keeps: "snapkv" or "streaming"
     * @param division of the budget
     * @param loss mean negative log-likelihood of held-out text under it, in nats per token
     * @param uniformLoss the same with equal budgets
     */
    public record Setting(int budget, String policy, HeadDivision division, double loss, double uniformLoss) {}

    /** What any number of a profile lies between 0 and. */
    static final double LARGEST = 2;

    public HeadProfile {
        heads = heads.stream().map(List::copyOf).toList();
        blocks = List.copyOf(blocks);
        settings = List.copyOf(settings);
        if (heads.isEmpty() || blocks.size() != heads.size()) {
            throw new IllegalArgumentException(heads.size() + " layers, " + blocks.size() + " blocks");
        }
        for (List<Double> layer : heads) {
            if (layer.isEmpty() || layer.size() != heads.getFirst().size()) {
                throw new IllegalArgumentException("layers of different numbers of heads");
            }
        }
    }

    /**
     * Reads a file.
     *
     * @throws LayercakeException (bad input) if it is missing, damaged or no profile
     */
    public static HeadProfile read(Path file) {
        return HeadProfileFile.read(file);
    }

    /**
     * Writes a file; it appears only when it is complete.
     *
     * @throws LayercakeException (bad input) if it cannot be written
     */
    public void write(Path file) {
        HeadProfileFile.write(this, file);
    }

    public int layers() {
        return heads.size();
    }

    public int kvHeads() {
        return heads.getFirst().size();
    }

    /** The number of a head. */
    public double of(int layer, int kvHead) {
        return heads.get(layer).get(kvHead);
    }

    /** The numbers of all heads, layer by layer. */
    double[] all() {
        return heads.stream().flatMap(List::stream).mapToDouble(value -> value).toArray();
    }

    /** What was chosen for the budget nearest to this one (by ratio), for a token policy. */
    public Optional<Setting> setting(int budget, String policy) {
        return settings.stream()
                .filter(setting -> setting.policy().equals(policy))
                .min(Comparator.comparingDouble(setting -> Math.abs(Math.log((double) setting.budget() / budget))));
    }

    /** This profile with one setting more, instead of any for the same budget and token policy. */
    public HeadProfile with(Setting added) {
        List<Setting> all = new ArrayList<>(settings);
        all.removeIf(setting ->
                setting.budget() == added.budget() && setting.policy().equals(added.policy()));
        all.add(added);
        return new HeadProfile(model, fingerprint, group, measure, heads, blocks, prompts, tokens, text, date, all);
    }

    /**
     * Refuses another model, as far as its shape tells.
     *
     * @throws LayercakeException (bad input)
     */
    public void requireShape(int modelLayers, int modelKvHeads) {
        if (layers() != modelLayers || kvHeads() != modelKvHeads) {
            throw LayercakeException.badInput("The profile was made for " + model + ", which has " + layers()
                    + " layers of " + kvHeads() + " KV heads, but this model has " + modelLayers + " of " + modelKvHeads
                    + "; make one for this model with layercake profile.");
        }
    }

    /**
     * Refuses another model of the same shape.
     *
     * @throws LayercakeException (bad input)
     */
    public void requireFingerprint(String modelFingerprint) {
        if (!fingerprint.isEmpty() && !fingerprint.equals(modelFingerprint)) {
            throw LayercakeException.badInput("The profile was made for other weights (" + model + ", fingerprint "
                    + fingerprint + ") than this model's (fingerprint " + modelFingerprint
                    + "); make one for this model with layercake profile.");
        }
    }
}
