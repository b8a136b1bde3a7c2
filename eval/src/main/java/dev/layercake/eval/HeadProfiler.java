package dev.layercake.eval;

import dev.layercake.engine.LanguageModel;
import dev.layercake.kernels.LayercakeException;
import dev.layercake.kv.policy.HeadDivision;
import dev.layercake.kv.policy.HeadProfile;
import dev.layercake.kv.policy.HeadProfile.Measure;
import dev.layercake.kv.policy.Policies;
import dev.layercake.model.HeadCalibration;
import dev.layercake.model.ModelConfig;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * Makes the profile of a model: measures its KV heads on texts, then looks for the division of a budget under which
 * held-out text surprises the model least (BaKlaVa, arXiv 2502.13176). What is known is kept beside the profile at any
 * time, so that an interrupted run goes on where it stopped.
 */
public final class HeadProfiler {
    /** Powers of the importance; 0, equal budgets, stands once before all others. */
    private static final List<Double> POWERS = List.of(0.25, 0.5, 1.0, 2.0, 4.0);

    private static final List<Double> LEAST = List.of(0.1, 0.25, 0.5, 0.75);
    private static final List<Double> SHARES = List.of(0.125, 0.25, 0.5);
    private static final List<Double> FACTORS = List.of(1.25, 1.5, 2.0, 3.0);
    /** A larger part of the budget in the important heads leaves the others next to nothing. */
    private static final double LARGEST_PART = 0.9;

    private final LanguageModel language;
    private final CalibrationText text;
    private final Options options;
    private final Path out;

    /**
     * What a profile is made of.
     *
     * @param prompts texts to calibrate on, at least 1
     * @param tokens of each, at least 2
     * @param heldOut texts that a division of a budget is judged by
     */
    public record Options(Measure measure, int prompts, int tokens, int heldOut) {
        public Options {
            if (prompts < 1 || prompts > 10_000 || heldOut < 1 || heldOut > 10_000) {
                throw LayercakeException.badInput(
                        "The numbers of prompts and of held-out texts must be from 1 to 10000, not " + prompts + " and "
                                + heldOut + ".");
            }
            if (tokens < 2) {
                throw LayercakeException.badInput("A text for calibration must have at least 2 tokens, not " + tokens
                        + "; give more with --tokens.");
            }
        }
    }

    /** Follows the work. */
    @FunctionalInterface
    public interface Progress {
        /** So much is done of what was to be done: token-layers of a calibration, or texts of a search. */
        void update(long done, long total);
    }

    /** @param out where the profile goes */
    public HeadProfiler(LanguageModel language, CalibrationText text, Options options, Path out) {
        this.language = language;
        this.text = text;
        this.options = options;
        this.out = out;
    }

    /**
     * The calibrated profile: from the file if that is finished, else measured, or measured on.
     *
     * @throws LayercakeException (bad input) if the file holds a profile that was made otherwise
     */
    public HeadProfile calibrate(Progress progress) {
        if (Files.exists(out)) {
            HeadProfile made = HeadProfile.read(out);
            requireSame(made);
            return made;
        }
        ProfileJournal journal = journal();
        ModelConfig config = language.model().config();
        double[][] heads = new double[config.layerCount()][config.kvHeads()];
        double[] blocks = new double[config.layerCount()];
        long each = (long) options.tokens() * config.layerCount();
        for (int prompt = 0; prompt < options.prompts(); prompt++) {
            int index = prompt;
            ProfileJournal.Measured found = journal.measured(prompt).orElseGet(() -> {
                ProfileJournal.Measured measured = measure(index, each * index, each * options.prompts(), progress);
                journal.add(measured);
                return measured;
            });
            add(found, heads, blocks);
            progress.update(each * (prompt + 1), each * options.prompts());
        }
        HeadProfile profile = profile(heads, blocks);
        profile.write(out);
        return profile;
    }

    private ProfileJournal.Measured measure(int index, long before, long total, Progress progress) {
        int[] tokens = text.prompt(index);
        HeadCalibration calibration = HeadCalibration.of(
                options.measure(), language.model().config(), tokens.length, language.contextTokens());
        language.observe(
                tokens,
                (done, all) -> {
                    progress.update(before + done, total);
                    return true;
                },
                calibration);
        List<List<Double>> heads = Arrays.stream(calibration.heads())
                .map(layer -> Arrays.stream(layer).boxed().toList())
                .toList();
        return new ProfileJournal.Measured(
                index, heads, Arrays.stream(calibration.blocks()).boxed().toList());
    }

    private static void add(ProfileJournal.Measured found, double[][] heads, double[] blocks) {
        for (int layer = 0; layer < heads.length; layer++) {
            for (int head = 0; head < heads[layer].length; head++) {
                heads[layer][head] += found.imp().get(layer).get(head);
            }
            blocks[layer] += found.impLayer().get(layer);
        }
    }

    private HeadProfile profile(double[][] heads, double[] blocks) {
        ModelConfig config = language.model().config();
        List<List<Double>> means = Arrays.stream(heads)
                .map(layer -> Arrays.stream(layer).map(this::mean).boxed().toList())
                .toList();
        return new HeadProfile(
                language.model().name(),
                language.fingerprint(),
                config.queryHeads() / config.kvHeads(),
                options.measure(),
                means,
                Arrays.stream(blocks).map(this::mean).boxed().toList(),
                options.prompts(),
                options.tokens(),
                text.identity(),
                LocalDate.now(ZoneOffset.UTC).toString(),
                List.of());
    }

    private double mean(double sum) {
        return sum / options.prompts();
    }

    private ProfileJournal journal() {
        Map<String, String> setup = settings();
        setup.put("heldOut", Integer.toString(options.heldOut()));
        setup.put("keys", language.options().keyType().name());
        setup.put("values", language.options().valueType().name());
        return ProfileJournal.open(out, setup);
    }

    /** What makes two profiles the same. */
    private Map<String, String> settings() {
        Map<String, String> setup = new LinkedHashMap<>();
        setup.put("fingerprint", language.fingerprint());
        setup.put("measure", options.measure().label());
        setup.put("prompts", Integer.toString(options.prompts()));
        setup.put("tokens", Integer.toString(options.tokens()));
        setup.put("text", text.identity());
        return setup;
    }

    private void requireSame(HeadProfile made) {
        Map<String, String> before = new LinkedHashMap<>();
        before.put("fingerprint", made.fingerprint());
        before.put("measure", made.measure().label());
        before.put("prompts", Integer.toString(made.prompts()));
        before.put("tokens", Integer.toString(made.tokens()));
        before.put("text", made.text());
        settings().forEach((key, now) -> {
            String then = before.getOrDefault(key, "");
            if (!then.equals(now)) {
                throw LayercakeException.badInput(
                        out + " holds a profile that was made otherwise (" + key + " was " + then + " and is now " + now
                                + "); give another file with --out, or the same options as before.");
            }
        });
    }

    /** The divisions that a search tries, equal budgets first. */
    static List<HeadDivision> divisions() {
        List<HeadDivision> all = new ArrayList<>();
        all.add(HeadDivision.UNIFORM);
        for (double power : POWERS) {
            for (double least : LEAST) {
                all.add(HeadDivision.power(power, least));
            }
        }
        for (double share : SHARES) {
            for (double factor : FACTORS) {
                if (share * factor <= LARGEST_PART) {
                    all.add(HeadDivision.twoLevel(share, factor));
                }
            }
        }
        return all;
    }

    /**
     * Looks for the best division of a budget, and adds it to the profile in the file. Equal budgets are among those tried,
     * so what is chosen is never worse than they are on the held-out texts.
     *
     * @param tokens which entries a head keeps: "snapkv" or "streaming"
     * @throws LayercakeException (bad input) if the budget holds too little for these
     */
    public HeadProfile search(HeadProfile profile, int budget, String tokens, Progress progress) {
        List<HeldOutText> texts =
                IntStream.range(0, options.heldOut()).mapToObj(text::heldOut).toList();
        List<HeadDivision> divisions = divisions();
        long total = (long) divisions.size() * texts.size();
        ProfileJournal journal = journal();
        HeadDivision best = HeadDivision.UNIFORM;
        double bestLoss = Double.NaN;
        double uniformLoss = Double.NaN;
        for (int index = 0; index < divisions.size(); index++) {
            long before = (long) index * texts.size();
            String spec = spec(divisions.get(index), budget, tokens);
            ProfileJournal.Judged judged = journal.judged(spec).orElseGet(() -> {
                double loss = new Perplexity(language)
                        .loss(Policies.parse(spec), texts, (done, all) -> progress.update(before + done, total));
                ProfileJournal.Judged found = new ProfileJournal.Judged(spec, loss);
                journal.add(found);
                return found;
            });
            progress.update(before + texts.size(), total);
            if (index == 0) {
                uniformLoss = judged.loss();
                bestLoss = judged.loss();
            } else if (judged.loss() < bestLoss) {
                best = divisions.get(index);
                bestLoss = judged.loss();
            }
        }
        if (!Double.isFinite(bestLoss)) {
            throw LayercakeException.badModel("The model " + language.model().name()
                    + " gives no finite likelihoods on the held-out text; check its weights.");
        }
        HeadProfile found = profile.with(new HeadProfile.Setting(budget, tokens, best, bestLoss, uniformLoss));
        found.write(out);
        journal.delete();
        return found;
    }

    /** Ends without a search. */
    public void finish() {
        journal().delete();
    }

    /** How a division is written behind {@code --kv}. At small budgets the window is half of them. */
    private String spec(HeadDivision division, int budget, String tokens) {
        String rule = division.rule() == HeadDivision.Rule.POWER
                ? "power,power=" + division.power() + ",least=" + division.least()
                : "twolevel,share=" + division.share() + ",factor=" + division.factor();
        return "baklava(profile=\"" + out + "\",budget=" + budget + ",tokens=" + tokens + ",window="
                + Math.max(1, Math.min(32, budget / 2)) + ",rule=" + rule + ")";
    }
}
