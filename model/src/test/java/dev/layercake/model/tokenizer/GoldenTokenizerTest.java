package dev.layercake.model.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.abort;

import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Every folder of golden/tokenizer: ids, pieces and text, exactly; and text put together token by token. */
class GoldenTokenizerTest {
    private static final JsonMapper MAPPER = new JsonMapper();

    @TestFactory
    Stream<DynamicTest> encodesAndDecodesAsTheReference() throws IOException, URISyntaxException {
        return perFolder(this::compareWithExpected);
    }

    @TestFactory
    Stream<DynamicTest> decodesAnyTokensAsTheNativeLibrary() throws IOException, URISyntaxException {
        return perFolder(folder -> {
            Tokenizer tokenizer = Tokenizer.of(folder.resolve("tokenizer.json"));
            NativeTokenizer oracle = new NativeTokenizer(Files.readString(folder.resolve("tokenizer.json")));
            // Rows of byte tokens are where our decoding deliberately differs; StreamingDetokenizerTest has those.
            int[] usable = usableTokens(tokenizer);
            Random random = new Random(11);
            for (int round = 0; round < 500; round++) {
                int[] ids = new int[random.nextInt(20)];
                for (int i = 0; i < ids.length; i++) {
                    ids[i] = usable[random.nextInt(usable.length)];
                }
                for (boolean skip : new boolean[] {false, true}) {
                    assertThat(tokenizer.decode(ids, skip))
                            .as("%s %s", Arrays.toString(ids), skip)
                            .isEqualTo(oracle.decode(ids, skip));
                    assertThat(streamed(tokenizer, ids, skip)).isEqualTo(tokenizer.decode(ids, skip));
                }
            }
        });
    }

    @TestFactory
    Stream<DynamicTest> whatIsSettledKeepsItsTokensWhateverFollows() throws IOException, URISyntaxException {
        String text =
                "It's 3.14159, isn't it?  He said: \u201cyes\u201d...\n\n  And then, 12 x 345 = 4140;\tno more!\r\n"
                        + "na\u00efve caf\u00e9s cost \u20ac5 (or $6.50) a-piece. Who'd've thought? <b>Bold</b> claims ,like this.";
        return perFolder(folder -> {
            Tokenizer tokenizer = Tokenizer.of(folder.resolve("tokenizer.json"));
            int[] whole = tokenizer.encode(text, false);
            int settledSomewhere = 0;
            for (int end = 8; end < text.length(); end++) {
                String settled = text.substring(0, tokenizer.settled(text.substring(0, end)));
                settledSomewhere += settled.length();
                if (!settled.isEmpty()) {
                    assertThat(whole).as(settled).startsWith(tokenizer.encode(settled, false));
                }
                assertThat(tokenizer.encode(
                                text.substring(settled.length()),
                                EncodeOptions.of(false).after(settled)))
                        .as("after %s", settled)
                        .isEqualTo(Arrays.copyOfRange(whole, tokenizer.encode(settled, false).length, whole.length));
            }
            assertThat(settledSomewhere).isPositive();
        });
    }

    @TestFactory
    Stream<DynamicTest> textWithoutBlanksIsHeldBackHoweverLongItIs() throws IOException, URISyntaxException {
        List<String> runs = List.of(
                "a".repeat(3000),
                "\u4e2d\u6587\u5b57\u7b26".repeat(200),
                "QmFzZTY0/+x9".repeat(200) + "==",
                "0123456789".repeat(100),
                "ing the".repeat(80).replace(" ", ""),
                "\u00e0\u00a0\u00e0".repeat(150));
        return perFolder(folder -> {
            Tokenizer tokenizer = Tokenizer.of(folder.resolve("tokenizer.json"));
            for (String run : runs) {
                String text = "the cake " + run + " and the cream";
                int[] whole = tokenizer.encode(text, false);
                for (int end = 1; end < text.length(); end += text.length() > 1000 ? 37 : 1) {
                    String settled = text.substring(0, tokenizer.settled(text.substring(0, end)));
                    int[] first = settled.isEmpty() ? new int[0] : tokenizer.encode(settled, false);
                    int[] rest = tokenizer.encode(
                            text.substring(settled.length()),
                            EncodeOptions.of(false).after(settled));
                    assertThat(IntStream.concat(Arrays.stream(first), Arrays.stream(rest)))
                            .as("%s... at %d", text.substring(0, 30), end)
                            .isEqualTo(Arrays.stream(whole).boxed().toList());
                }
            }
        });
    }

    private void compareWithExpected(Path folder) throws IOException {
        Tokenizer tokenizer = Tokenizer.of(folder.resolve("tokenizer.json"));
        JsonNode cases = MAPPER.readTree(Files.readAllBytes(folder.resolve("expected.json")));
        assertThat(cases.size()).isPositive();
        for (JsonNode expected : cases) {
            String text = expected.path("text").asString();
            int[] ids = integers(expected.path("ids"));
            int[] plain = integers(expected.path("ids_no_special"));
            assertThat(tokenizer.encode(text, true)).as(text).containsExactly(ids);
            assertThat(tokenizer.encode(text, false)).as(text).containsExactly(plain);
            List<String> pieces = new ArrayList<>();
            for (int id : plain) {
                pieces.add(tokenizer.token(id).orElseThrow());
            }
            List<String> expectedPieces = new ArrayList<>();
            expected.path("tokens_no_special").forEach(piece -> expectedPieces.add(piece.asString()));
            assertThat(pieces).as(text).isEqualTo(expectedPieces);
            String decoded = expected.path("decoded").asString();
            String readable = expected.path("decoded_skip_special").asString();
            assertThat(tokenizer.decode(plain, false)).isEqualTo(decoded);
            assertThat(tokenizer.decode(plain, true)).isEqualTo(readable);
            assertThat(streamed(tokenizer, plain, false)).isEqualTo(decoded);
            assertThat(streamed(tokenizer, plain, true)).isEqualTo(readable);
        }
    }

    private static Stream<DynamicTest> perFolder(FolderCheck check) throws IOException, URISyntaxException {
        Path root = goldenFolder();
        if (!Files.isDirectory(root)) {
            return Stream.of(DynamicTest.dynamicTest(
                    "tokenizer", () -> abort("no folder tokenizer in the golden folder " + root)));
        }
        List<Path> folders;
        try (Stream<Path> entries = Files.list(root)) {
            folders = entries.filter(entry -> Files.isRegularFile(entry.resolve("expected.json")))
                    .sorted()
                    .toList();
        }
        assertThat(folders).isNotEmpty();
        return folders.stream()
                .map(folder -> DynamicTest.dynamicTest(folder.getFileName().toString(), () -> check.check(folder)));
    }

    private static Path goldenFolder() throws URISyntaxException {
        String elsewhere = System.getProperty("layercake.golden", "");
        if (!elsewhere.isEmpty()) {
            return Path.of(elsewhere, "tokenizer");
        }
        return Path.of(
                GoldenTokenizerTest.class.getResource("/golden/tokenizer").toURI());
    }

    static String streamed(Tokenizer tokenizer, int[] ids, boolean skipSpecial) {
        StreamingDetokenizer stream = tokenizer.stream(skipSpecial);
        StringBuilder text = new StringBuilder();
        for (int id : ids) {
            String part = stream.push(id);
            assertThat(part.isEmpty() || !Character.isHighSurrogate(part.charAt(part.length() - 1)))
                    .isTrue();
            text.append(part);
        }
        return text.append(stream.flush()).toString();
    }

    private static int[] usableTokens(Tokenizer tokenizer) {
        boolean byteFallback = tokenizer.tokenId("<0x41>").isPresent();
        return IntStream.range(0, tokenizer.vocabularySize())
                .filter(id -> !byteFallback
                        || tokenizer
                                .token(id)
                                .filter(piece -> PieceDecoder.SentencePiece.byteOf(piece) < 0)
                                .isPresent())
                .toArray();
    }

    private static int[] integers(JsonNode array) {
        int[] values = new int[array.size()];
        for (int i = 0; i < values.length; i++) {
            values[i] = array.get(i).intValue();
        }
        return values;
    }

    @FunctionalInterface
    private interface FolderCheck {
        void check(Path folder) throws IOException;
    }
}
