package dev.layercake.model.tokenizer;

import java.nio.charset.StandardCharsets;

/** Writes the bytes of a part in {@link ByteAlphabet}, for models that read characters. */
record AlphabetStage(TextStage next) implements TextStage {
    @Override
    public void accept(String text, int from, int to, boolean first, Workspace work) {
        byte[] utf8 = text.substring(from, to).getBytes(StandardCharsets.UTF_8);
        work.watch.made(utf8.length);
        char[] characters = new char[utf8.length];
        for (int i = 0; i < utf8.length; i++) {
            characters[i] = ByteAlphabet.characterOf(utf8[i] & 0xFF);
        }
        next.accept(new String(characters), 0, characters.length, first, work);
    }
}
