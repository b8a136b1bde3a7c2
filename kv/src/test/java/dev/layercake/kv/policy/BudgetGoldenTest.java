package dev.layercake.kv.policy;

import static org.assertj.core.api.Assertions.assertThat;

import dev.layercake.kv.Golden;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;

/** The published integer rule, number by number. */
class BudgetGoldenTest {
    private static JsonNode cases() {
        Path file = Golden.folder("cake").resolve("budget_cases.json");
        Assumptions.assumeTrue(Files.exists(file), () -> "no file " + file);
        return Golden.json(file);
    }

    private static double[] doubles(JsonNode array) {
        double[] values = new double[array.size()];
        for (int i = 0; i < values.length; i++) {
            values[i] = array.get(i).doubleValue();
        }
        return values;
    }

    private static int[] ints(JsonNode array) {
        return Arrays.stream(doubles(array)).mapToInt(value -> (int) value).toArray();
    }

    @Test
    void adjustedBudgets() {
        for (JsonNode one : cases().get("adjust_budgets")) {
            double[] real = doubles(one.get("budget_list"));
            int[] caps = new int[real.length];
            Arrays.fill(caps, one.get("seq_len").intValue());
            assertThat(OfficialBudget.adjust(real, one.get("total_budget").longValue(), caps))
                    .as(one.toString())
                    .containsExactly(ints(one.get("result")));
        }
    }

    @Test
    void allocations() {
        for (JsonNode one : cases().get("allocation")) {
            int layers = one.get("layers").intValue();
            int window = one.get("window").intValue();
            OfficialBudget allocator =
                    new OfficialBudget(one.get("cache_size").intValue(), window, new Preference(1, 1));
            float[] preferences = new float[layers];
            for (int layer = 0; layer < layers; layer++) {
                preferences[layer] = (float) one.get("pref_score").get(layer).doubleValue();
            }
            int[] candidates = new int[layers];
            Arrays.fill(candidates, one.get("seq_len").intValue() - window);
            Stage last = new Stage(layers - 1, preferences, candidates, 0, candidates[0]);
            String what = layers + " layers, " + one.get("total").longValue() + " entries";

            assertThat(allocator.real(last)).as(what).containsExactly(doubles(one.get("raw_budget")));
            assertThat(OfficialBudget.adjust(allocator.real(last), last.total(allocator.uncutCount()), candidates))
                    .as(what)
                    .containsExactly(ints(one.get("adjusted")));
            assertThat(allocator.allocate(last)).as(what).containsExactly(ints(one.get("layer_budget")));

            int[] held = candidates.clone();
            for (int stage = 0; stage < layers; stage++) {
                int[] counts = allocator.allocate(new Stage(stage, preferences, candidates, 0, candidates[0]));
                for (int layer = 0; layer <= stage; layer++) {
                    held[layer] = Math.min(held[layer], counts[layer]);
                }
                if (one.has("stage_layer_budget")) {
                    assertThat(counts)
                            .as(what + ", stage " + stage)
                            .containsExactly(ints(one.get("stage_layer_budget").get(stage)));
                }
            }
            assertThat(held).as(what).containsExactly(ints(one.get("cascade_final_size")));
        }
    }
}
