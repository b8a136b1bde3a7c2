package dev.layercake.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.layercake.kernels.LayercakeException;
import java.util.Arrays;
import java.util.Comparator;
import java.util.Random;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

final class SamplerTest {
    /** Logits of the probabilities .5, .25, .125, .0625, .0625. */
    private static final float[] HALVES = {
        (float) Math.log(.25),
        (float) Math.log(.5),
        (float) Math.log(.0625),
        (float) Math.log(.125),
        (float) Math.log(.0625)
    };

    private static final int DRAWS = 20_000;

    @Test
    void greedyTakesTheLikeliestAndAmongEqualsTheFirst() {
        assertThat(draws(GenerationOptions.builder().build(), 3, 1f, 3f, 2f, 3f))
                .containsOnly(1);
    }

    @Test
    void temperatureOneFollowsTheProbabilities() {
        double[] shares =
                shares(GenerationOptions.builder().temperature(1).seed(7).build());
        assertThat(shares[1]).isCloseTo(.5, within(.02));
        assertThat(shares[0]).isCloseTo(.25, within(.02));
        assertThat(shares[3]).isCloseTo(.125, within(.015));
        assertThat(shares[2]).isCloseTo(.0625, within(.01));
    }

    @Test
    void halfTheTemperatureSquaresTheProbabilities() {
        double[] shares = shares(GenerationOptions.builder().temperature(.5f).build());
        double sum = .25 + .0625 + .015625 + 2 * .00390625;
        assertThat(shares[1]).isCloseTo(.25 / sum, within(.02));
        assertThat(shares[0]).isCloseTo(.0625 / sum, within(.02));
    }

    @Test
    void topKKeepsTheLikeliest() {
        double[] shares =
                shares(GenerationOptions.builder().temperature(1).topK(2).build());
        assertThat(shares[1]).isCloseTo(2 / 3., within(.02));
        assertThat(shares[0]).isCloseTo(1 / 3., within(.02));
        assertThat(shares[1] + shares[0]).isEqualTo(1);
    }

    @Test
    void topKBeyondTheVocabularyKeepsAll() {
        GenerationOptions all =
                GenerationOptions.builder().temperature(1).topK(5).build();
        assertThat(draws(all.toBuilder().topK(500).build(), 200, HALVES)).isEqualTo(draws(all, 200, HALVES));
    }

    @Test
    void topPKeepsTheFewestThatSuffice() {
        double[] shares =
                shares(GenerationOptions.builder().temperature(1).topP(.7f).build());
        assertThat(shares[1]).isCloseTo(2 / 3., within(.02));
        assertThat(shares[1] + shares[0]).isEqualTo(1);
        assertThat(shares(GenerationOptions.builder().temperature(1).topP(.01f).build())[1])
                .isEqualTo(1);
    }

    @Test
    void topPSeesWhatTopKLeft() {
        // After top-k 2 the likeliest has two thirds, which is enough for .6 but would not be of all five.
        double[] shares = shares(
                GenerationOptions.builder().temperature(1).topK(2).topP(.6f).build());
        assertThat(shares[1]).isEqualTo(1);
    }

    @Test
    void minPIsRelativeToTheLikeliest() {
        for (GenerationOptions options : new GenerationOptions[] {
            GenerationOptions.builder().temperature(1).minP(.2f).build(),
            GenerationOptions.builder().temperature(1).minP(.2f).topK(4).build(),
        }) {
            double[] shares = shares(options);
            assertThat(shares[2] + shares[4]).isZero();
            assertThat(shares[3]).isCloseTo(.125 / .875, within(.015));
        }
    }

    @Test
    void theSameSeedDrawsTheSameTokens() {
        GenerationOptions options = GenerationOptions.builder()
                .temperature(1.3f)
                .topK(4)
                .topP(.95f)
                .seed(42)
                .build();
        assertThat(draws(options, 500, HALVES)).isEqualTo(draws(options, 500, HALVES));
        assertThat(draws(options.toBuilder().seed(43).build(), 500, HALVES)).isNotEqualTo(draws(options, 500, HALVES));
    }

    /** Whatever is left unweighed and unsorted, a draw is the one from the whole list, sorted. */
    @Test
    void drawsAreThoseOfTheWholeSortedList() {
        int vocabulary = 3000;
        Random logitsOf = new Random(3);
        for (GenerationOptions options : new GenerationOptions[] {
            GenerationOptions.builder().temperature(.8f).topK(40).topP(.95f).build(),
            GenerationOptions.builder().temperature(.01f).topK(1000).build(),
            GenerationOptions.builder().temperature(1).topK(2999).minP(.001f).build(),
            GenerationOptions.builder().temperature(3).topP(.999f).build(),
            GenerationOptions.builder().temperature(30).topP(.3f).build(),
        }) {
            Sampler sampler = new Sampler(options, vocabulary);
            SplittableRandom random = new SplittableRandom(options.seed());
            for (int round = 0; round < 100; round++) {
                float[] logits = new float[vocabulary];
                for (int token = 0; token < vocabulary; token++) {
                    // Coarse, so that some are equal, and some of the others have equal weights.
                    logits[token] = (float) (Math.round(logitsOf.nextGaussian() * 400) / 100.);
                    if (token % 7 == 0 && token > 0) {
                        logits[token] = Math.nextUp(logits[token - 1]);
                    }
                }
                assertThat(draw(sampler, logits)).isEqualTo(drawSlowly(options, logits, random));
            }
        }
    }

    private static int drawSlowly(GenerationOptions options, float[] logits, SplittableRandom random) {
        float highest = Float.NEGATIVE_INFINITY;
        for (float logit : logits) {
            highest = Math.max(highest, logit);
        }
        float[] weights = new float[logits.length];
        double mass = 0;
        for (int token = 0; token < weights.length; token++) {
            weights[token] = (float) Math.exp((logits[token] - highest) * (1 / options.temperature()));
            mass += weights[token];
        }
        int[] sorted = IntStream.range(0, weights.length)
                .boxed()
                .sorted(Comparator.comparingDouble((Integer token) -> -weights[token])
                        .thenComparing(token -> token))
                .mapToInt(Integer::intValue)
                .toArray();
        int limit = options.topK() == 0 ? sorted.length : options.topK();
        if (options.topK() > 0) {
            mass = 0;
            for (int i = 0; i < limit; i++) {
                mass += weights[sorted[i]];
            }
        }
        double kept = 0;
        int count = 0;
        while (count < limit
                && kept < mass * options.topP()
                && weights[sorted[count]] >= options.minP()
                && weights[sorted[count]] > 0) {
            kept += weights[sorted[count++]];
        }
        double left = random.nextDouble() * kept;
        for (int i = 0; i < count; i++) {
            left -= weights[sorted[i]];
            if (left < 0) {
                return sorted[i];
            }
        }
        return sorted[count - 1];
    }

    @Test
    void thePenaltyLowersRecentTokensOnceEach() {
        GenerationOptions options = GenerationOptions.builder()
                .repetitionPenalty(2)
                .penaltyWindow(3)
                .build();
        Sampler sampler = new Sampler(options, 3);
        sampler.note(0);
        sampler.note(0);
        assertThat(draw(sampler, 3f, 1.6f, -1f)).isEqualTo(1);
        assertThat(draw(sampler, 3.3f, 1.6f, -1f)).as("halved once, not twice").isEqualTo(0);
        sampler.note(1);
        sampler.note(1);
        sampler.note(1);
        assertThat(draw(sampler, 3f, 5f, -1f)).as("0 has left the window").isEqualTo(0);
    }

    @Test
    void thePenaltyMakesNegativeLogitsMoreNegative() {
        Sampler sampler =
                new Sampler(GenerationOptions.builder().repetitionPenalty(2).build(), 2);
        sampler.note(0);
        assertThat(draw(sampler, -1f, -1.5f)).isEqualTo(1);
    }

    @Test
    void logitsThatAreNoNumbersAreTheModelsFault() {
        Sampler sampler = new Sampler(GenerationOptions.DEFAULT, 2);
        assertThatThrownBy(() -> draw(sampler, Float.NaN, Float.NaN))
                .isInstanceOfSatisfying(
                        LayercakeException.class,
                        e -> assertThat(e.category()).isEqualTo(LayercakeException.Category.BAD_MODEL));
        assertThat(draw(sampler, Float.NaN, -3f)).isEqualTo(1);
    }

    private static double[] shares(GenerationOptions options) {
        double[] shares = new double[HALVES.length];
        for (int token : draws(options, DRAWS, HALVES)) {
            shares[token] += 1. / DRAWS;
        }
        return Arrays.stream(shares).map(share -> Math.round(share * 1e9) / 1e9).toArray();
    }

    private static int[] draws(GenerationOptions options, int count, float... logits) {
        Sampler sampler = new Sampler(options, logits.length);
        return IntStream.range(0, count).map(index -> draw(sampler, logits)).toArray();
    }

    private static int draw(Sampler sampler, float... logits) {
        System.arraycopy(logits, 0, sampler.logits(), 0, logits.length);
        return sampler.draw();
    }
}
