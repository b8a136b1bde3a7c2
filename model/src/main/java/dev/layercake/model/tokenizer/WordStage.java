package dev.layercake.model.tokenizer;

/** The last stage: writes a word in UTF-8 and has the model cut it into tokens. */
final class WordStage implements TextStage {
    private final TokenModel model;

    WordStage(TokenModel model) {
        this.model = model;
    }

    @Override
    public void accept(String text, int from, int to, boolean first, Workspace work) {
        byte[] utf8 = work.bytes(most(to - from));
        int size = write(text, from, to, utf8);
        model.encode(utf8, 0, size, work);
    }

    private static int most(int characters) {
        // A text beyond this is not Latin letters only, or it fits anyhow.
        return (int) Math.min(Integer.MAX_VALUE - 16, 3L * characters);
    }

    /** Writes well-formed UTF-16 as UTF-8 and returns how many bytes that were. */
    static int write(String text, int from, int to, byte[] utf8) {
        int size = 0;
        for (int i = from; i < to; i++) {
            char c = text.charAt(i);
            if (c < 0x80) {
                utf8[size++] = (byte) c;
            } else if (c < 0x800) {
                utf8[size++] = (byte) (0xC0 | (c >> 6));
                utf8[size++] = (byte) (0x80 | (c & 0x3F));
            } else if (Character.isHighSurrogate(c)) {
                int codePoint = text.codePointAt(i++);
                utf8[size++] = (byte) (0xF0 | (codePoint >> 18));
                utf8[size++] = (byte) (0x80 | ((codePoint >> 12) & 0x3F));
                utf8[size++] = (byte) (0x80 | ((codePoint >> 6) & 0x3F));
                utf8[size++] = (byte) (0x80 | (codePoint & 0x3F));
            } else {
                utf8[size++] = (byte) (0xE0 | (c >> 12));
                utf8[size++] = (byte) (0x80 | ((c >> 6) & 0x3F));
                utf8[size++] = (byte) (0x80 | (c & 0x3F));
            }
        }
        return size;
    }
}
