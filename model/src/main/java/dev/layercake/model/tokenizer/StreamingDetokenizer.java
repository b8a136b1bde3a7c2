package dev.layercake.model.tokenizer;

import org.jspecify.annotations.Nullable;

/**
 * A text that grows token by token. Each {@link #push} gives out what the token completes, never half a character; all that
 * {@code push} and {@link #flush} gave out, put together, is {@link Tokenizer#decode} of all tokens. The work per token is
 * that of the token's own characters. Not for use by several threads.
 */
public final class StreamingDetokenizer {
    private final Tokenizer tokenizer;
    private final boolean skipSpecial;
    private final PieceDecoder decoder;
    private final Utf8Assembler bytes;
    private final StringBuilder ready = new StringBuilder();
    private int toStrip;
    private boolean first = true;
    /** A piece that may be the text's last. */
    private @Nullable String waiting;

    StreamingDetokenizer(Tokenizer tokenizer, PieceDecoder decoder, boolean skipSpecial) {
        this.tokenizer = tokenizer;
        this.decoder = decoder;
        this.skipSpecial = skipSpecial;
        this.bytes = new Utf8Assembler(decoder.replacesEachByte());
        this.toStrip = decoder.leadingStrip().count();
    }

    /**
     * Adds one token.
     *
     * @return the text that is complete now and was not before; empty while bytes of a character are missing, for a token
     *     that is not in the vocabulary, for a special token that is left out, and for one that means something else at the
     *     end of a text
     */
    public String push(int token) {
        accept(token);
        return take();
    }

    /** The rest, once no token follows: U+FFFD in place of a character whose bytes did not all come, else empty. */
    public String flush() {
        String last = waiting;
        if (last != null) {
            decoder.appendLast(last, ready);
            waiting = null;
        }
        bytes.finish(ready);
        return take();
    }

    void accept(int token) {
        String piece = tokenizer.pieceOrNull(token);
        if (piece == null || (skipSpecial && tokenizer.isSpecial(token))) {
            return;
        }
        String before = waiting;
        if (before != null) {
            decoder.append(before, first, bytes, ready);
            first = false;
            waiting = null;
        }
        if (decoder.waitsForNext(piece)) {
            waiting = piece;
            return;
        }
        decoder.append(piece, first, bytes, ready);
        first = false;
    }

    private String take() {
        if (ready.isEmpty()) {
            return "";
        }
        int start = 0;
        while (toStrip > 0 && start < ready.length()) {
            if (ready.charAt(start) == decoder.leadingStrip().content()) {
                start++;
                toStrip--;
            } else {
                toStrip = 0;
            }
        }
        String text = ready.substring(start);
        ready.setLength(0);
        return text;
    }
}
