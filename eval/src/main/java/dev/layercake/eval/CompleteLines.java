package dev.layercake.eval;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * The lines of a file that is written line by line, without what follows the last line end: that was cut off while it was
 * written.
 *
 * @param lines without their ends
 * @param bytes that they take in the file
 */
record CompleteLines(List<String> lines, int bytes) {
    static CompleteLines of(Path file) throws IOException {
        byte[] all = Files.readAllBytes(file);
        int complete = all.length;
        while (complete > 0 && all[complete - 1] != '\n') {
            complete--;
        }
        String text = new String(all, 0, complete, StandardCharsets.UTF_8);
        return new CompleteLines(text.lines().toList(), complete);
    }
}
