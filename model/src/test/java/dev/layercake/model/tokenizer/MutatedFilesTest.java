package dev.layercake.model.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.layercake.kernels.LayercakeException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import tools.jackson.core.StreamWriteConstraints;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * Files of a tokenizer whose structure is damaged: parts are gone, doubled, of another kind, inside each other, or far too
 * large. Each is read or refused in one sentence. {@code -Dlayercake.tokenizer.mutations=N} says how many of each file.
 */
class MutatedFilesTest {
    private static final int ROUNDS = Integer.getInteger("layercake.tokenizer.mutations", 150);
    // Writes deeper than it would read.
    private static final JsonMapper MAPPER = JsonMapper.builder(JsonFactory.builder()
                    .streamWriteConstraints(StreamWriteConstraints.builder()
                            .maxNestingDepth(5000)
                            .build())
                    .build())
            .build();
    private static final JsonNodeFactory NODES = JsonNodeFactory.instance;

    private static final String[] STRINGS = {
        "",
        " ",
        "a",
        "##",
        "\uD800",
        "\uFDD0",
        "BPE",
        "Unigram",
        "WordPiece",
        "WordLevel",
        "Sequence",
        "Replace",
        "Split",
        "ByteLevel",
        "Metaspace",
        "Precompiled",
        "Strip",
        "always",
        "Isolated",
        "Contiguous",
        "<unk>",
        "(a+)+$",
        "(?:a|aa)*\\1c",
        "[a-z&&[^b]]",
        "(((((",
        "a{1,999999}",
        "\\p{L}{0,100000}",
        "\\p{NoSuch}",
        "(?<!a",
        "[^",
        "\\x{110000}",
        "AAAA",
        "=="
    };
    private static final String[] NUMBERS = {
        "-1",
        "0",
        "1",
        "1e308",
        "-1e308",
        "2147483647",
        "2147483648",
        "-2147483649",
        "9223372036854775808",
        "0.5",
        "1e-320"
    };
    private static final String[] TEXTS = {
        "",
        "the cake and the cream",
        "  a\u00a0b\u3000\n\n\tc 123 4567",
        "\u4e2d\u6587 na\u00efve \uD83C\uDF70 <s></s> [CLS] don't!",
        "a".repeat(5000)
    };

    @Test
    void everyFileIsReadOrRefusedInOneSentence() throws IOException {
        int read = 0;
        int refused = 0;
        Random random = new Random(Integer.getInteger("layercake.tokenizer.seed", 5));
        for (String json : files()) {
            JsonNode original = MAPPER.readTree(json);
            for (int round = 0; round < ROUNDS; round++) {
                String mutated = mutated(original, random);
                try {
                    use(Tokenizer.of(mutated));
                    read++;
                } catch (LayercakeException e) {
                    refused++;
                    assertThat(e.getMessage())
                            .as(shown(mutated))
                            .isNotBlank()
                            .doesNotContain("\n")
                            .hasSizeLessThan(700);
                } catch (RuntimeException | Error e) {
                    throw new AssertionError(shown(mutated), e);
                }
            }
        }
        assertThat(read).isPositive();
        assertThat(refused).isPositive();
    }

    @Test
    void rulesThatLengthenWhatOthersHaveLengthenedAreStopped() {
        String tenfold = "{\"type\":\"Replace\",\"pattern\":{\"String\":\"a\"},\"content\":\"aaaaaaaaaa\"}";
        String bytes = "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":false}";
        String blanks = "{\"type\":\"Metaspace\",\"replacement\":\"  \",\"prepend_scheme\":\"never\",\"split\":false}";
        for (String sections : List.of(
                "\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[" + repeated(tenfold, 12) + "]}",
                "\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[" + repeated(bytes, 60) + "]}",
                "\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[" + repeated(blanks, 60) + "]}")) {
            Tokenizer tokenizer = Tokenizer.of(
                    "{" + sections
                            + ",\"decoder\":{\"type\":\"Fuse\"},\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[]}}");
            assertThatThrownBy(() -> tokenizer.encode("a \u00e9", false))
                    .as(sections.substring(0, 120))
                    .isInstanceOf(LayercakeException.class)
                    .hasMessageContaining("rules make more than");
        }
    }

    @Test
    void piecesThatFitInTooManyWaysAreStopped() {
        String piece = "a".repeat(20_000);
        for (String model : List.of(
                "\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"?\",0],[\"" + piece + "b\",-1]]",
                "\"type\":\"WordPiece\",\"unk_token\":\"?\",\"continuing_subword_prefix\":\"\","
                        + "\"max_input_chars_per_word\":100000000,\"vocab\":{\"?\":0,\"a\":1,\"" + piece + "b\":2}")) {
            Tokenizer tokenizer = Tokenizer.of("{\"decoder\":{\"type\":\"Fuse\"},\"model\":{" + model + "}}");
            assertThatThrownBy(() -> tokenizer.encode("a".repeat(100_000), false))
                    .isInstanceOf(LayercakeException.class)
                    .hasMessageContaining("too many ways");
        }
    }

    private static String repeated(String one, int times) {
        return String.join(",", Collections.nCopies(times, one));
    }

    private static void use(Tokenizer tokenizer) {
        for (String text : TEXTS) {
            int[] tokens = tokenizer.encode(text, EncodeOptions.of(true).atMost(1_000_000));
            String decoded = tokenizer.decode(tokens, true);
            assertThat(tokenizer.encodeGuarded(
                            tokenizer.guard(decoded.substring(0, Math.min(100, decoded.length()))), false))
                    .isNotNull();
        }
    }

    private static String shown(String json) {
        return json.length() > 6000 ? json.substring(0, 3000) + " ... " + json.substring(json.length() - 3000) : json;
    }

    private static String mutated(JsonNode original, Random random) {
        JsonNode root = original.deepCopy();
        for (int times = random.nextInt(3); times >= 0; times--) {
            List<JsonNode> parents = new ArrayList<>();
            collect(root, parents, random);
            if (!parents.isEmpty()) {
                change(parents.get(random.nextInt(parents.size())), parents, random);
            }
        }
        String json = MAPPER.writeValueAsString(root);
        if (random.nextInt(12) == 0) {
            // A key twice, which a tree cannot have.
            String[] keys = {"\"model\":", "\"vocab\":", "\"type\":", "\"merges\":", "\"added_tokens\":"};
            String key = keys[random.nextInt(keys.length)];
            json = json.replaceFirst(
                    key,
                    key
                            + MAPPER.writeValueAsString(value(random, List.of(root)))
                                    .replace("\\", "\\\\")
                                    .replace("$", "\\$")
                            + "," + key);
        }
        return json;
    }

    /** Objects and arrays that hold something; of vocabularies and merges, which have the most, only a few entries. */
    private static void collect(JsonNode node, List<JsonNode> parents, Random random) {
        if (!node.isContainer() || node.isEmpty()) {
            return;
        }
        parents.add(node);
        for (JsonNode child : node) {
            if (node.size() < 40 || random.nextInt(node.size()) < 10) {
                collect(child, parents, random);
            }
        }
    }

    private static void change(JsonNode parent, List<JsonNode> all, Random random) {
        int index = random.nextInt(parent.size());
        boolean deletes = random.nextInt(6) == 0;
        JsonNode value = value(random, all);
        if (parent instanceof ArrayNode array) {
            if (deletes) {
                array.remove(index);
            } else if (random.nextInt(3) == 0) {
                array.insert(index, array.get(index).deepCopy());
            } else {
                array.set(index, random.nextInt(3) == 0 ? nested(array.get(index), random) : value);
            }
        } else if (parent instanceof ObjectNode object) {
            String name =
                    object.propertyNames().stream().skip(index).findFirst().orElseThrow();
            if (deletes) {
                object.remove(name);
            } else if (random.nextInt(5) == 0) {
                object.set(text(random), object.get(name).deepCopy());
            } else {
                object.set(name, random.nextInt(3) == 0 ? nested(object.get(name), random) : value);
            }
        }
    }

    private static JsonNode value(Random random, List<JsonNode> all) {
        return switch (random.nextInt(9)) {
            case 0 -> NODES.nullNode();
            case 1 -> NODES.booleanNode(random.nextBoolean());
            case 2 -> MAPPER.readTree(NUMBERS[random.nextInt(NUMBERS.length)]);
            case 3 -> NODES.objectNode();
            case 4 -> NODES.arrayNode();
            case 5, 6 -> all.get(random.nextInt(all.size())).deepCopy();
            default -> NODES.stringNode(text(random));
        };
    }

    private static String text(Random random) {
        int kind = random.nextInt(40);
        String one = STRINGS[random.nextInt(STRINGS.length)];
        return kind == 0 ? one.repeat(30_000) : kind == 1 ? one.repeat(300) : one;
    }

    /** The same inside itself: in arrays, or in sequences of sequences. */
    private static JsonNode nested(JsonNode inner, Random random) {
        int depth = random.nextInt(6) == 0 ? 600 : 1 + random.nextInt(40);
        int kind = random.nextInt(4);
        JsonNode node = inner.deepCopy();
        String list = new String[] {"normalizers", "pretokenizers", "processors", "decoders"}[random.nextInt(4)];
        if (kind == 3) {
            // The same many times, one after the other.
            ArrayNode array = NODES.arrayNode();
            for (int i = 0; i < depth; i++) {
                array.add(node);
            }
            return NODES.objectNode().put("type", "Sequence").set(list, array);
        }
        for (int i = 0; i < depth; i++) {
            ArrayNode array = NODES.arrayNode().add(node);
            node = kind == 0
                    ? array
                    : NODES.objectNode().put("type", "Sequence").set(list, array);
        }
        return node;
    }

    private static List<String> files() throws IOException {
        List<String> files = new ArrayList<>(SmallFiles.ALL);
        for (String style : List.of("llama3", "llama2", "gemma")) {
            try (InputStream in =
                    MutatedFilesTest.class.getResourceAsStream("/golden/tokenizer/" + style + "/tokenizer.json")) {
                assertThat(in).isNotNull();
                files.add(new String(in.readAllBytes(), StandardCharsets.UTF_8));
            }
        }
        return files;
    }
}
