package dev.layercake.model.text;

import dev.layercake.kernels.LayercakeException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;

/**
 * A vocabulary and its rules: text to token numbers and back. Made from a tokenizer.json of Hugging Face's form or from
 * the vocabulary inside a GGUF file. Immutable; any number of threads may use one at once.
 *
 * <p>Text becomes tokens in Hugging Face's own Rust library, without truncation or padding. Tokens become text here, as the
 * file's {@code decoder} section says, because a reply is read while it grows: {@link #decode} and {@link #stream} are the
 * same code. One deliberate difference from the library: where byte tokens ({@code <0xE4>}) in a row are not UTF-8 as a
 * whole, the library puts U+FFFD in place of every byte of the row, this class only in place of the bytes that belong to no
 * character; otherwise no character of a row could be shown before the row ends.
 */
public final class Tokenizer {
    private final byte[] json;
    private final NativeTokenizer tokenizer;
    private final @Nullable String[] pieces;
    private final Map<String, Integer> idOfPiece;
    private final List<AddedToken> addedTokens;
    private final BitSet special = new BitSet();
    private final PieceDecoder decoder;
    private final Guard guard;
    private @Nullable GuardedEncoder guarded;

    private Tokenizer(byte[] json) {
        this.json = json;
        TokenizerFile file = TokenizerFile.parse(json);
        pieces = file.pieces();
        idOfPiece = file.idOfPiece();
        addedTokens = file.addedTokens();
        decoder = file.decoder();
        guard = new Guard(addedTokens);
        for (AddedToken token : addedTokens) {
            special.set(token.id(), token.special());
        }
        tokenizer = new NativeTokenizer(new String(json, StandardCharsets.UTF_8));
    }

    /**
     * Reads a tokenizer.json.
     *
     * @throws LayercakeException (bad model) if it cannot be read or is not a tokenizer this class supports
     */
    public static Tokenizer of(Path file) {
        try {
            return new Tokenizer(Files.readAllBytes(file));
        } catch (IOException e) {
            throw LayercakeException.badModel(
                    "The tokenizer " + file + " cannot be read: " + e.getMessage() + "; check the path.", e);
        }
    }

    /** The same from the bytes of a tokenizer.json, in UTF-8. */
    public static Tokenizer of(byte[] json) {
        return new Tokenizer(json.clone());
    }

    /** The same from the text of a tokenizer.json. */
    public static Tokenizer of(String json) {
        return new Tokenizer(json.getBytes(StandardCharsets.UTF_8));
    }

    /**
     * Builds a tokenizer from the vocabulary inside a GGUF file.
     *
     * @throws LayercakeException (bad model) if its kind or its pre-tokenizer is unknown, or its parts do not fit together
     */
    public static Tokenizer of(GgufVocabulary vocabulary) {
        return new Tokenizer(GgufTokenizerJson.write(vocabulary));
    }

    /**
     * Cuts a text into tokens. A special token's name in the text ({@code <|end|>}) becomes that token, which is right for a
     * rendered chat template and wrong for text from elsewhere: see {@link #guard}.
     *
     * @param addSpecialTokens whether to add what the model wants around every text, such as a beginning-of-text token
     * @return token numbers, in the order of the text
     */
    public int[] encode(String text, boolean addSpecialTokens) {
        return tokenizer.encode(Guard.wellFormed(text), addSpecialTokens);
    }

    /**
     * Marks text from outside so that {@link #encodeGuarded} does not take the names of special tokens in it for the tokens
     * themselves. The marks (U+FDD0, not a character by the Unicode standard) stand inside such names only, so the text can
     * be put into a chat template and trimmed there. A U+FDD0 already in the text becomes U+FFFD.
     */
    public String guard(String untrusted) {
        return guard.mark(Guard.wellFormed(untrusted));
    }

    /**
     * Cuts a text into tokens like {@link #encode}, except that names of special tokens marked by {@link #guard} stay
     * ordinary text; the marks themselves vanish. Other added tokens (not special) are still found everywhere.
     *
     * @param text what {@code guard} returned, or a larger text with such parts in it
     */
    public int[] encodeGuarded(String text, boolean addSpecialTokens) {
        String wellFormed = Guard.wellFormed(text);
        return wellFormed.indexOf(Guard.MARK) < 0
                ? tokenizer.encode(wellFormed, addSpecialTokens)
                : guardedEncoder().encode(wellFormed, addSpecialTokens);
    }

    /**
     * The text that tokens stand for. Numbers that are not in the vocabulary (a model's output layer may be wider) stand
     * for nothing.
     *
     * @param skipSpecial whether to leave out special tokens
     */
    public String decode(int[] tokens, boolean skipSpecial) {
        StreamingDetokenizer stream = stream(skipSpecial);
        for (int token : tokens) {
            stream.accept(token);
        }
        return stream.flush();
    }

    /** A new, empty text that grows token by token. */
    public StreamingDetokenizer stream(boolean skipSpecial) {
        return new StreamingDetokenizer(this, decoder, skipSpecial);
    }

    /** A token as the vocabulary writes it ({@code Ġthe}, {@code ▁the}, {@code <0x0A>}), if the number is used. */
    public Optional<String> token(int id) {
        return Optional.ofNullable(pieceOrNull(id));
    }

    /** The number of a token as the vocabulary writes it, such as {@code <|eot_id|>}. */
    public OptionalInt tokenId(String piece) {
        Integer id = idOfPiece.get(piece);
        return id == null ? OptionalInt.empty() : OptionalInt.of(id);
    }

    /** One more than the highest token number. */
    public int vocabularySize() {
        return pieces.length;
    }

    /** All added tokens, special and not, in the order of the file. */
    public List<AddedToken> addedTokens() {
        return addedTokens;
    }

    /** Whether a token is special, that is left out of readable text. */
    public boolean isSpecial(int id) {
        return id >= 0 && special.get(id);
    }

    @Nullable
    String pieceOrNull(int id) {
        return id >= 0 && id < pieces.length ? pieces[id] : null;
    }

    /** The native tokenizer, for comparing its decoding with ours. */
    NativeTokenizer nativeTokenizer() {
        return tokenizer;
    }

    // Built when a text first holds a mark: it costs another copy of the vocabulary, sometimes two.
    private synchronized GuardedEncoder guardedEncoder() {
        GuardedEncoder encoder = guarded;
        if (encoder == null) {
            encoder = new GuardedEncoder(json, tokenizer, guard);
            guarded = encoder;
        }
        return encoder;
    }

    @Override
    public String toString() {
        return "Tokenizer[" + pieces.length + " tokens, "
                + Arrays.toString(special.stream().limit(4).toArray()) + "... special]";
    }
}
