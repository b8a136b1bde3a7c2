package dev.layercake.kv.policy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Both integer rules on small vectors, and what water-filling promises on many random ones. */
class BudgetRulesTest {
    private static final Preference PLAIN = new Preference(1, 1);

    private static int[] caps(int layers, int cap) {
        int[] caps = new int[layers];
        Arrays.fill(caps, cap);
        return caps;
    }

    @Test
    void officialRuleByHand() {
        assertThat(OfficialBudget.adjust(new double[] {10.7, 3.2, 5.9}, 20, caps(3, 100)))
                .containsExactly(11, 4, 5);
        assertThat(OfficialBudget.adjust(new double[] {120.5, 30.4, 49.1}, 200, caps(3, 100)))
                .containsExactly(100, 41, 59);
        assertThat(OfficialBudget.adjust(new double[] {300, 1, 1, 1}, 303, caps(4, 100)))
                .containsExactly(100, 68, 68, 67);
        assertThat(OfficialBudget.adjust(new double[] {0.4, 0.4, 19.2}, 20, caps(3, 100)))
                .containsExactly(1, 0, 19);
        assertThat(OfficialBudget.adjust(new double[] {55.6}, 60, caps(1, 50))).containsExactly(50);
        assertThat(OfficialBudget.adjust(new double[] {99.9, 99.9, 0.2}, 200, caps(3, 100)))
                .containsExactly(100, 100, 0);
    }

    @Test
    void waterfillByHand() {
        assertThat(WaterfillBudget.fill(new double[] {1, 2, 7}, 12, caps(3, 6))).containsExactly(2, 4, 6);
        assertThat(WaterfillBudget.fill(new double[] {1, 1, 1}, 10, caps(3, 100)))
                .containsExactly(4, 3, 3);
        assertThat(WaterfillBudget.fill(new double[] {3}, 10, caps(1, 4))).containsExactly(4);
        assertThat(WaterfillBudget.fill(new double[] {3, 1}, 0, caps(2, 4))).containsExactly(0, 0);
    }

    @Test
    void layersWithoutPreferenceShareWhatIsLeft() {
        assertThat(WaterfillBudget.fill(new double[] {0, 5, 0}, 20, caps(3, 10)))
                .containsExactly(5, 10, 5);
        assertThat(WaterfillBudget.fill(new double[] {0, 0, 0}, 11, caps(3, 10)))
                .containsExactly(4, 4, 3);
    }

    @Test
    void strangePreferencesAreTamed() {
        float[] preferences = {Float.NaN, Float.POSITIVE_INFINITY, -3, 1, Float.MIN_VALUE};
        Stage stage = new Stage(4, preferences, caps(5, 10), 0, 10);
        int[] counts = new WaterfillBudget(6, 2, PLAIN).allocate(stage);
        assertThat(counts).containsExactly(0, 10, 0, 10, 0);
        for (int count : new OfficialBudget(6, 2, PLAIN).allocate(stage)) {
            assertThat(count).isBetween(0, 10);
        }
    }

    /** What the definition says, seat by seat. */
    private static int[] seatBySeat(double[] preferences, long total, int[] caps) {
        int[] counts = new int[preferences.length];
        for (long seat = 0; seat < total; seat++) {
            int best = -1;
            for (int layer = 0; layer < counts.length; layer++) {
                if (counts[layer] == caps[layer]) {
                    continue;
                }
                double priority = preferences[layer] / (2.0 * counts[layer] + 1);
                double other = best < 0 ? -1 : preferences[best] / (2.0 * counts[best] + 1);
                if (priority > other || (priority == other && counts[layer] < counts[best])) {
                    best = layer;
                }
            }
            if (best < 0) {
                break;
            }
            counts[best]++;
        }
        return counts;
    }

    /** A model, a prompt and preferences of many magnitudes; some layers equal, some without any claim. */
    private record Draw(int budget, int window, List<Float> preferences, int candidates) {
        static Draw next(Random random, int mostLayers, int mostTokens) {
            int layers = 1 + random.nextInt(mostLayers);
            int window = 1 + random.nextInt(random.nextBoolean() ? 4 : 64);
            int budget = window + random.nextInt(random.nextBoolean() ? 8 : 500);
            List<Float> preferences = new ArrayList<>();
            double spread = random.nextInt(7);
            for (int layer = 0; layer < layers; layer++) {
                preferences.add(
                        switch (random.nextInt(12)) {
                            case 0 -> 0f;
                            case 1 -> 1f;
                            default -> (float) Math.exp(spread * random.nextGaussian());
                        });
            }
            return new Draw(budget, window, preferences, random.nextInt(mostTokens));
        }

        int layers() {
            return preferences.size();
        }

        float[] claims() {
            float[] claims = new float[layers()];
            for (int index = 0; index < claims.length; index++) {
                claims[index] = preferences.get(index);
            }
            return claims;
        }

        Stage stage(int layer) {
            return new Stage(layer, claims(), caps(layers(), candidates), 0, candidates);
        }
    }

    @Test
    void fastFillIsTheDefinition() {
        Random random = new Random(11);
        for (int run = 0; run < 2000; run++) {
            Draw draw = Draw.next(random, 12, 60);
            double[] preferences = new double[draw.layers()];
            int[] caps = new int[preferences.length];
            for (int layer = 0; layer < preferences.length; layer++) {
                preferences[layer] = draw.preferences().get(layer);
                caps[layer] = random.nextInt(60);
            }
            long total = random.nextInt(400);
            assertThat(WaterfillBudget.fill(preferences, total, caps))
                    .as("run " + run)
                    .containsExactly(seatBySeat(preferences, total, caps));
        }
    }

    @Test
    void cascadeKeepsWhatOneShotKeeps() {
        Random random = new Random(12);
        for (int run = 0; run < 5000; run++) {
            Draw draw = Draw.next(random, 96, 4000);
            WaterfillBudget allocator = new WaterfillBudget(draw.budget(), draw.window(), PLAIN);
            int layers = draw.layers();
            long total = (long) (draw.budget() - draw.window()) * layers;
            int[] held = caps(layers, draw.candidates());
            for (int layer = 0; layer < layers; layer++) {
                int[] counts = allocator.allocate(draw.stage(layer));
                long candidates = 0;
                long sum = 0;
                boolean nested = true;
                for (int index = 0; index <= layer; index++) {
                    nested &= counts[index] <= held[index];
                    held[index] = counts[index];
                    candidates += draw.candidates();
                    sum += counts[index];
                }
                if (!nested || sum != Math.min(total, candidates)) {
                    fail("run %d, stage %d: %s after %s", run, layer, Arrays.toString(counts), draw);
                }
            }
            assertThat(held).as("run " + run).containsExactly(allocator.allocate(draw.stage(layers - 1)));
        }
    }

    /** Windows of any sizes: what a stage gives away is the total as far as there are candidates, and counts never rise. */
    @Test
    void cascadeKeepsWhatOneShotKeepsBesideSlidingWindows() {
        Random random = new Random(14);
        for (int run = 0; run < 3000; run++) {
            Draw draw = Draw.next(random, 40, 4000);
            int layers = draw.layers();
            List<Integer> windows = new ArrayList<>();
            int[] candidates = new int[layers];
            long beside = 0;
            for (int layer = 0; layer < layers; layer++) {
                windows.add(random.nextInt(3) == 0 ? 0 : 1 + random.nextInt(random.nextBoolean() ? 50 : 2000));
                int most = windows.get(layer) == 0 ? Integer.MAX_VALUE : windows.get(layer) - 1;
                candidates[layer] = Math.max(0, Math.min(draw.candidates() + draw.window(), most) - draw.window());
                beside += Math.min(draw.window(), most);
            }
            Lookback lookback = Lookback.of(windows);
            long total = (long) draw.budget() * layers - beside;
            for (BudgetAllocator allocator : List.of(
                    new WaterfillBudget(draw.budget(), draw.window(), PLAIN),
                    new UniformBudget(draw.budget(), draw.window()),
                    new PyramidBudget(draw.budget(), draw.window(), 20, PyramidBudget.Rounding.EXACT))) {
                int[] held = candidates.clone();
                for (int layer = 0; layer < layers; layer++) {
                    Stage stage = new Stage(layer, draw.claims(), candidates, held, 0, draw.candidates(), lookback);
                    int[] counts = allocator.allocate(stage);
                    boolean nested = true;
                    long sum = 0;
                    long all = 0;
                    for (int index = 0; index <= layer; index++) {
                        int kept = Math.min(counts[index], candidates[index]);
                        nested &= kept <= held[index];
                        held[index] = kept;
                        sum += kept;
                        all += candidates[index];
                    }
                    boolean exact = allocator instanceof WaterfillBudget || layer == layers - 1;
                    if (!nested || sum > total || (exact && sum != Math.min(total, all))) {
                        fail("run %d, stage %d: %s after %s, %s", run, layer, Arrays.toString(counts), draw, windows);
                    }
                }
            }
        }
    }

    /** Six layers, the third and the last of which see everything; the others hold 10 of the 30 that equal shares are. */
    @Test
    void whatSlidingLayersLeaveFlowsMoreToLowerLayers() {
        Lookback lookback = Lookback.of(List.of(11, 11, 0, 11, 11, 0));
        // 80 are left; four layers are computed from the third one's output, itself included, one from the last one's.
        assertThat(ReachDivision.flow(30, 0, lookback)).containsExactly(0, 0, 64, 0, 0, 16);
        UniformBudget equal = new UniformBudget(30, 0);
        assertThat(equal.allocate(stage(lookback, 200))).containsExactly(10, 10, 94, 10, 10, 46);
        // What the third layer cannot hold either is the last one's.
        assertThat(equal.allocate(stage(lookback, 72))).containsExactly(10, 10, 72, 10, 10, 68);
        assertThat(equal.keepsAll(stage(lookback, 70))).isTrue();
        assertThat(equal.keepsAll(stage(lookback, 71))).isFalse();
        assertThat(ReachDivision.flow(30, 0, Lookback.unlimited(6))).containsExactly(0, 0, 0, 0, 0, 0);
        assertThat(ReachDivision.flow(30, 0, Lookback.of(List.of(11, 11)))).containsExactly(0, 0);
    }

    /** However much a sliding layer claims: it has nothing to do with what the global ones divide. */
    @Test
    void claimsDivideAmongLayersThatSeeEquallyFar() {
        Lookback lookback = Lookback.of(List.of(11, 0, 11, 0));
        int[] candidates = {10, 100, 10, 100};
        for (float sliding : new float[] {0, 1e-6f, 1, 1e6f}) {
            float[] claims = {sliding, 3, 0.1f, 1};
            Stage last = new Stage(3, claims, candidates, candidates, 0, 100, lookback);
            assertThat(new WaterfillBudget(20, 0, PLAIN).allocate(last)).containsExactly(10, 45, 10, 15);
            Stage tight = new Stage(3, claims, candidates, candidates, 0, 100, lookback);
            int[] counts = new WaterfillBudget(8, 0, PLAIN).allocate(tight);
            assertThat(counts[0] + counts[2]).isEqualTo(16);
            assertThat(counts[1]).isEqualTo(12);
            assertThat(counts[3]).isEqualTo(4);
        }
    }

    private static Stage stage(Lookback lookback, int tokens) {
        int[] candidates = new int[lookback.layers()];
        Arrays.setAll(candidates, layer -> (int) lookback.of(layer, tokens));
        return new Stage(
                candidates.length - 1, new float[candidates.length], candidates, candidates, 0, tokens, lookback);
    }

    @Test
    void officialNeverGivesAwayMoreThanTheTotal() {
        Random random = new Random(13);
        for (int run = 0; run < 2000; run++) {
            Draw draw = Draw.next(random, 48, 3000);
            OfficialBudget allocator = new OfficialBudget(draw.budget(), draw.window(), PLAIN);
            for (int layer = 0; layer < draw.layers(); layer++) {
                Stage stage = draw.stage(layer);
                long sum =
                        Arrays.stream(allocator.allocate(stage)).asLongStream().sum();
                if (sum > allocator.atMost(stage)) {
                    fail("run %d, stage %d: %d entries for %s", run, layer, sum, draw);
                }
            }
        }
    }

    /** kvpress keeps to the equal budget where the last layer would get more than the first. */
    @Test
    void aPyramidThatStandsOnItsHeadIsNone() {
        PyramidBudget pyramid = new PyramidBudget(81, 32, 20, PyramidBudget.Rounding.KVPRESS);
        Stage stage = new Stage(7, new float[8], caps(8, 58), 0, 90);
        assertThat(pyramid.allocate(stage)).containsOnly(49);
    }

    /** A head's scores are weighed by its attention; what must stay has none. */
    @Test
    void sinksDoNotKeepHeadsFromBeingWeighed() {
        float infinite = Float.POSITIVE_INFINITY;
        float[][] scores = {{infinite, 9, 9, 1, 1, 9, 9}, {infinite, 5, 0, 0, 0, 0, 0}};
        AdaptiveHeads plain = new AdaptiveHeads(new UniformBudget(3, 0), 0, false, AdaptiveHeads.Rounding.EXACT, 0);
        AdaptiveHeads weighed = new AdaptiveHeads(new UniformBudget(3, 0), 0, true, AdaptiveHeads.Rounding.EXACT, 0);
        assertThat(plain.heads(3, scores)).containsExactly(5, 1);
        // 18 of 38 is caught in the first head, all in the second.
        assertThat(weighed.heads(3, scores)).containsExactly(4, 2);
    }
}
