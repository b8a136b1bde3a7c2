package dev.layercake.model.tokenizer;

import dev.layercake.kernels.LayercakeException;
import dev.layercake.model.format.GgufMetadata;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;

/**
 * A vocabulary and its rules: text to token numbers and back. Made from a tokenizer.json of Hugging Face's form or from
 * the vocabulary inside a GGUF file. Immutable; any number of threads may use one at once.
 *
 * <p>Text becomes exactly the tokens that Hugging Face's library makes of it, without truncation or padding. Tokens become
 * text as the file's {@code decoder} section says; a reply is read while it grows, and {@link #decode} and {@link #stream}
 * are the same code. One deliberate difference from the library: where byte tokens ({@code <0xE4>}) in a row are not UTF-8
 * as a whole, the library puts U+FFFD in place of every byte of the row, this class only in place of the bytes that belong
 * to no character; otherwise no character of a row could be shown before the row ends.
 */
public final class Tokenizer {
    private final TokenizerParts parts;
    private final Map<Integer, String> addedContents = new HashMap<>();
    private final Map<String, Integer> addedIds = new HashMap<>();
    private final BitSet special = new BitSet();
    private final int size;
    private final String template;
    /** Made when first asked for; threads that make it twice do no harm. */
    private volatile @Nullable Encoding encoding;

    /** The way from text to tokens, which a tokenizer that is only a step to another one needs not. */
    private record Encoding(Guard guard, TextEncoder encoder) {}

    /** The same: only texts that are fed in parts need it. */
    private volatile @Nullable TextEnd textEnd;

    private Tokenizer(TokenizerParts parts, String template) {
        this.parts = parts;
        int highest = parts.pieces().size() - 1;
        for (AddedToken token : parts.added()) {
            special.set(token.id(), token.special());
            addedContents.put(token.id(), token.content());
            addedIds.put(token.content(), token.id());
            highest = Math.max(highest, token.id());
        }
        size = highest + 1;
        this.template = template;
    }

    private Encoding encoding() {
        Encoding known = encoding;
        if (known == null) {
            Guard guard = new Guard(ControlTokens.among(parts.added(), template));
            known = new Encoding(guard, new TextEncoder(parts, guard.guarded()));
            encoding = known;
        }
        return known;
    }

    /**
     * Reads a tokenizer.json.
     *
     * @throws LayercakeException (bad model) if it cannot be read or is not a tokenizer this class supports
     */
    public static Tokenizer of(Path file) {
        try {
            return of(Files.readAllBytes(file));
        } catch (IOException e) {
            throw LayercakeException.badModel(
                    "The tokenizer " + file + " cannot be read: " + e.getMessage() + "; check the path.", e);
        }
    }

    /** The same from the bytes of a tokenizer.json, in UTF-8. */
    public static Tokenizer of(byte[] json) {
        Tokenizer tokenizer = new Tokenizer(TokenizerFile.read(json), "");
        // The file's own rules are applied to its added tokens here, so that one that cannot be used is refused when it
        // is read.
        tokenizer.encoding();
        return tokenizer;
    }

    /** The same from the text of a tokenizer.json. */
    public static Tokenizer of(String json) {
        return of(json.getBytes(StandardCharsets.UTF_8));
    }

    /**
     * Builds a tokenizer from the vocabulary inside a GGUF file.
     *
     * @throws LayercakeException (bad model) if its kind or its pre-tokenizer is unknown, or its parts do not fit together
     */
    public static Tokenizer of(GgufMetadata metadata) {
        return new Tokenizer(GgufTokenizer.read(GgufVocabulary.of(metadata)), "");
    }

    /**
     * This tokenizer for a model whose conversations a chat template writes: names of tokens that the template writes, or
     * that are declared elsewhere, are control tokens too, whatever the tokenizer's own file calls them.
     *
     * @param template the template's source
     * @param declared texts of tokens that another file of the model calls special
     */
    public Tokenizer withControlTokens(String template, List<String> declared) {
        List<AddedToken> added = ControlTokens.completed(parts.added(), template, declared, this::pieceId);
        return new Tokenizer(
                new TokenizerParts(
                        parts.pieces(),
                        parts.unknown(),
                        added,
                        parts.normalizer(),
                        parts.words(),
                        parts.surroundings(),
                        parts.decoder()),
                template);
    }

    /**
     * Cuts a text into tokens. A special token's name in the text ({@code <|end|>}) becomes that token, which is right for a
     * rendered chat template and wrong for text from elsewhere: see {@link #guard}.
     *
     * @param addSpecialTokens whether to add what the model wants around every text, such as a beginning-of-text token
     * @return token numbers, in the order of the text
     */
    public int[] encode(String text, boolean addSpecialTokens) {
        return encode(text, EncodeOptions.of(addSpecialTokens));
    }

    /**
     * Cuts a text into tokens as the options say.
     *
     * @throws LayercakeException (over capacity) if there are more tokens than wanted; (bad model) if an expression of the
     *     tokenizer backtracks without end on the text
     * @throws java.util.concurrent.CancellationException if {@link EncodeOptions#progress} says so
     */
    public int[] encode(String text, EncodeOptions options) {
        return encoding().encoder().encode(Guard.wellFormed(text), options);
    }

    /**
     * How many characters at the beginning of a text are cut into the same tokens whatever follows the text; the others have to
     * wait for what follows. Where nothing in a text tells its words apart, as in a long number, that is none of them.
     */
    public int settled(String text) {
        TextEnd known = textEnd;
        if (known == null) {
            known = TextEnd.of(parts);
            textEnd = known;
        }
        return known.settled(text);
    }

    /**
     * Marks text from outside so that {@link #encodeGuarded} does not take the names of control tokens in it for the tokens
     * themselves. The marks (U+FDD0, not a character by the Unicode standard) stand inside such names only, so the text can
     * be put into a chat template and trimmed there. A U+FDD0 already in the text becomes U+FFFD.
     */
    public String guard(String untrusted) {
        return encoding().guard().mark(Guard.wellFormed(untrusted));
    }

    /**
     * Cuts a text into tokens like {@link #encode}, except that names of control tokens marked by {@link #guard} stay
     * ordinary text; the marks themselves vanish. Other added tokens are still found everywhere.
     *
     * @param text what {@code guard} returned, or a larger text with such parts in it
     */
    public int[] encodeGuarded(String text, boolean addSpecialTokens) {
        return encode(text, EncodeOptions.of(addSpecialTokens).withGuarded());
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
        return new StreamingDetokenizer(this, parts.decoder(), skipSpecial);
    }

    /** A token as the vocabulary writes it ({@code Ġthe}, {@code ▁the}, {@code <0x0A>}), if the number is used. */
    public Optional<String> token(int id) {
        return Optional.ofNullable(pieceOrNull(id));
    }

    /** The number of a token as the vocabulary writes it, such as {@code <|eot_id|>}. */
    public OptionalInt tokenId(String piece) {
        Integer added = addedIds.get(piece);
        int id = added != null ? added : pieceId(piece);
        return id < 0 ? OptionalInt.empty() : OptionalInt.of(id);
    }

    /** One more than the highest token number. */
    public int vocabularySize() {
        return size;
    }

    /** All added tokens, special and not, in the order of the file. */
    public List<AddedToken> addedTokens() {
        return parts.added();
    }

    /** Whether a token is special, that is left out of readable text. */
    public boolean isSpecial(int id) {
        return id >= 0 && special.get(id);
    }

    private int pieceId(String piece) {
        return parts.pieces().find(piece);
    }

    @Nullable
    String pieceOrNull(int id) {
        String added = addedContents.get(id);
        return added != null ? added : parts.pieces().piece(id);
    }

    @Override
    public String toString() {
        return "Tokenizer[" + size + " tokens, "
                + Arrays.toString(special.stream().limit(4).toArray()) + "... special]";
    }
}
