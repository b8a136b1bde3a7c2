package dev.layercake.model;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** Files that are almost right: seeded changes to JSON texts and to bytes. */
final class Mutations {
    private static final List<String> VALUES = List.of(
            "0",
            "-1",
            "1",
            "2",
            "3",
            "7",
            "64",
            "2147483647",
            "-2147483648",
            "4294967296",
            "9223372036854775807",
            "99999999999999999999",
            "1e308",
            "1e400",
            "-1e308",
            "1e-320",
            "0.5",
            "-0.5",
            "1e39",
            "null",
            "true",
            "false",
            "\"\"",
            "\"x\"",
            "\"a\\nb\"",
            "\"linear\"",
            "\"yarn\"",
            "\"longrope\"",
            "\"llama3\"",
            "\"gemma2\"",
            "\"mixtral\"",
            "\"sliding_attention\"",
            "[]",
            "[7]",
            "[1, 2]",
            "[null]",
            "[[[]]]",
            "[1e300, -1]",
            "{}",
            "{\"a\": 1}",
            "{\"rope_type\": \"linear\", \"factor\": 2.0}",
            "{\"rope_type\": \"yarn\", \"factor\": 1e5}",
            "{\"full_attention\": {\"rope_theta\": 5e5}, \"sliding_attention\": {}}",
            "{\"quant_method\": \"x\"}");
    private static final List<String> KEYS = List.of(
            "rope_parameters",
            "rope_scaling",
            "rope_theta",
            "rope_local_base_freq",
            "partial_rotary_factor",
            "original_max_position_embeddings",
            "sliding_window",
            "layer_types",
            "sliding_window_pattern",
            "max_window_layers",
            "use_sliding_window",
            "head_dim",
            "query_pre_attn_scalar",
            "attn_logit_softcapping",
            "final_logit_softcapping",
            "quantization_config",
            "text_config",
            "hidden_activation",
            "eos_token_id",
            "tie_word_embeddings",
            "num_experts",
            "num_local_experts",
            "model_type",
            "intermediate_size",
            "rope_type",
            "factor",
            "beta_fast",
            "attention_factor",
            "mscale",
            "long_factor",
            "short_factor");

    private final SplittableRandom random;

    Mutations(long seed) {
        this.random = new SplittableRandom(seed);
    }

    /** A JSON object with one to three values, keys or bytes changed; usually JSON still. */
    String ofJson(String json) {
        if (random.nextInt(10) == 0) {
            byte[] bytes = json.getBytes(StandardCharsets.ISO_8859_1);
            return new String(ofBytes(bytes, 0, bytes.length), StandardCharsets.ISO_8859_1);
        }
        JsonNode root = JsonMapper.shared().readTree(json);
        for (int change = random.nextInt(1, 4); change > 0; change--) {
            List<JsonNode> containers = new ArrayList<>();
            collect(root, containers);
            change(containers.get(random.nextInt(containers.size())));
        }
        return root.toString();
    }

    private static void collect(JsonNode node, List<JsonNode> containers) {
        if (node.isContainer()) {
            containers.add(node);
            node.forEach(child -> collect(child, containers));
        }
    }

    private void change(JsonNode container) {
        JsonNode value = JsonMapper.shared().readTree(VALUES.get(random.nextInt(VALUES.size())));
        if (container instanceof ArrayNode array) {
            if (array.isEmpty() || random.nextInt(3) == 0) {
                array.add(value);
            } else {
                array.set(random.nextInt(array.size()), value);
            }
        } else if (container instanceof ObjectNode object) {
            List<String> keys = new ArrayList<>(object.propertyNames());
            int kind = random.nextInt(8);
            if (keys.isEmpty() || kind == 0) {
                object.set(KEYS.get(random.nextInt(KEYS.size())), value);
            } else if (kind == 1) {
                object.remove(keys.get(random.nextInt(keys.size())));
            } else {
                object.set(keys.get(random.nextInt(keys.size())), value);
            }
        }
    }

    /** A copy with one to three numbers of one to eight bytes overwritten, and now and then the end cut off. */
    byte[] ofBytes(byte[] bytes, int from, int to) {
        byte[] copy = bytes.clone();
        for (int change = random.nextInt(1, 4); change > 0; change--) {
            int at = random.nextInt(from, to);
            int width = 1 << random.nextInt(4);
            long number = switch (random.nextInt(6)) {
                case 0 -> 0;
                case 1 -> -1;
                case 2 -> random.nextInt(64);
                case 3 -> 1L << random.nextInt(64);
                case 4 -> Double.doubleToRawLongBits(random.nextDouble() * 1e300);
                default -> random.nextLong();
            };
            for (int index = 0; index < width && at + index < to; index++) {
                copy[at + index] = (byte) (number >>> (8 * index));
            }
        }
        return random.nextInt(40) == 0 ? Arrays.copyOf(copy, random.nextInt(from, to)) : copy;
    }
}
