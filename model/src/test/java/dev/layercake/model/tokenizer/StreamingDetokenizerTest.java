package dev.layercake.model.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Text that grows by bytes: whole characters only, and never different from the text decoded at once. */
class StreamingDetokenizerTest {
    private static final String FALLBACK = """
            {"decoder":{"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"▁"},"content":" "},
             {"type":"ByteFallback"},{"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":0}]},
             "added_tokens":[],
             "model":{"type":"BPE","byte_fallback":true,"unk_token":"<unk>","merges":[],"vocab":{BYTES"<unk>":256,"▁":257,"a":258}}}""";

    @Test
    void givesOutACharacterWithItsLastByte() {
        StreamingDetokenizer stream = byteFallback().stream(false);
        assertThat(stream.push(0xF0)).isEmpty();
        assertThat(stream.push(0x9F)).isEmpty();
        assertThat(stream.push(0x8D)).isEmpty();
        assertThat(stream.push(0xB0)).isEqualTo("🍰");
        assertThat(stream.push(0xC3)).isEmpty();
        assertThat(stream.push(258)).isEqualTo("\uFFFDa");
        assertThat(stream.push(0xE4)).isEmpty();
        assertThat(stream.push(0xB8)).isEmpty();
        assertThat(stream.flush()).isEqualTo("\uFFFD\uFFFD");
        assertThat(stream.flush()).isEmpty();
    }

    @Test
    void dropsTheLeadingSpaceOnceOnly() {
        StreamingDetokenizer stream = byteFallback().stream(false);
        assertThat(stream.push(257)).isEmpty();
        assertThat(stream.push(257)).isEqualTo(" ");
        assertThat(stream.push(258)).isEqualTo("a");
        assertThat(stream.push(257)).isEqualTo(" ");
    }

    @Test
    void ignoresNumbersOutsideTheVocabulary() {
        Tokenizer tokenizer = byteFallback();
        assertThat(tokenizer.decode(new int[] {258, 9999, -1, 258}, false)).isEqualTo("aa");
        assertThat(tokenizer.token(9999)).isEmpty();
    }

    @Test
    void anyBytesGiveTheSameAtOnceAndOneByOneAndValidTextComesOutWhole() {
        Tokenizer tokenizer = byteFallback();
        Random random = new Random(5);
        for (int round = 0; round < 2000; round++) {
            int[] ids = new int[random.nextInt(12)];
            for (int i = 0; i < ids.length; i++) {
                ids[i] = random.nextInt(4) == 0 ? 256 + random.nextInt(3) : 0x70 + random.nextInt(0x90);
            }
            assertThat(GoldenTokenizerTest.streamed(tokenizer, ids, false)).isEqualTo(tokenizer.decode(ids, false));
        }
        String text = "naïve 中文 🍰 \u0000\uFFFF " + new String(Character.toChars(0x10FFFF));
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        int[] ids = new int[bytes.length];
        for (int i = 0; i < ids.length; i++) {
            ids[i] = bytes[i] & 0xFF;
        }
        assertThat(tokenizer.decode(ids, false)).isEqualTo(text);
    }

    @Test
    void malformedUtf8IsReplacedByMaximalSubpartsAsInTheUnicodeStandard() {
        // The Unicode standard, table 3-8: one U+FFFD for each maximal subpart.
        int[] octets = {0x61, 0xF1, 0x80, 0x80, 0xE1, 0x80, 0xC2, 0x62, 0x80, 0x63, 0x80, 0xBF, 0x64};
        assertThat(assemble(octets)).isEqualTo("a\uFFFD\uFFFD\uFFFDb\uFFFDc\uFFFD\uFFFDd");
        // Table 3-7: surrogates, overlong forms and numbers past U+10FFFF are malformed from their second byte on.
        assertThat(assemble(0xED, 0xA0, 0x80)).isEqualTo("\uFFFD\uFFFD\uFFFD");
        assertThat(assemble(0xF0, 0x80, 0x80, 0x41)).isEqualTo("\uFFFD\uFFFD\uFFFDA");
        assertThat(assemble(0xF4, 0x90, 0x80, 0x80)).isEqualTo("\uFFFD\uFFFD\uFFFD\uFFFD");
    }

    private static String assemble(int... octets) {
        Utf8Assembler assembler = new Utf8Assembler(false);
        StringBuilder out = new StringBuilder();
        for (int octet : octets) {
            assembler.accept(octet, out);
        }
        assembler.finish(out);
        return out.toString();
    }

    private static Tokenizer byteFallback() {
        StringBuilder bytes = new StringBuilder();
        for (int octet = 0; octet < 256; octet++) {
            bytes.append(String.format(Locale.ROOT, "\"<0x%02X>\":%d,", octet, octet));
        }
        return Tokenizer.of(FALLBACK.replace("BYTES", bytes));
    }
}
