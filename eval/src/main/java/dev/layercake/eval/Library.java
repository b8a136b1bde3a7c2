package dev.layercake.eval;

import dev.layercake.kernels.LayercakeException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.SplittableRandom;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import java.util.zip.CRC32;

/** Prose from text files, cut into sentences; each text begins at another sentence and goes on from file to file. */
final class Library implements Prose {
    private static final Pattern SENTENCE_END =
            Pattern.compile("(?<=[.!?][\"'\u201d\u2019)]?) +(?=[\"'\u201c\u2018(]?[A-Z])");
    /** What is longer is a table or a list that was never meant as a sentence. */
    private static final int LONGEST_SENTENCE = 1000;

    private final List<String> sentences;
    private final String identity;

    private Library(List<String> sentences, String identity) {
        this.sentences = sentences;
        this.identity = identity;
    }

    /**
     * Reads the files of a folder whose names end in {@code .txt}.
     *
     * @throws LayercakeException (bad input) if there are none, or they hold too little
     */
    static Library of(Path folder) {
        List<String> sentences = new ArrayList<>();
        CRC32 content = new CRC32();
        for (Path file : textFiles(folder)) {
            String text = read(file);
            content.update(text.getBytes(StandardCharsets.UTF_8));
            String line = text.strip().replaceAll("\\s+", " ");
            SENTENCE_END
                    .splitAsStream(line)
                    .filter(sentence -> !sentence.isBlank() && sentence.length() <= LONGEST_SENTENCE)
                    .forEach(sentence -> sentences.add(" " + sentence));
        }
        if (sentences.size() < 10) {
            throw LayercakeException.badInput("The folder " + folder + " holds " + sentences.size()
                    + " sentences in files named *.txt; give one with more text as --haystack.");
        }
        Path name = folder.toAbsolutePath().normalize().getFileName();
        return new Library(sentences, name + " " + String.format(Locale.ROOT, "%08x", content.getValue()));
    }

    private static List<Path> textFiles(Path folder) {
        try (Stream<Path> files = Files.list(folder)) {
            return files.filter(file -> file.toString().endsWith(".txt"))
                    .sorted()
                    .toList();
        } catch (IOException e) {
            throw LayercakeException.badInput(
                    "The folder " + folder + " cannot be read; check the path given with --haystack.", e);
        }
    }

    private static String read(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            throw LayercakeException.badInput("The file " + file + " cannot be read as UTF-8 text.", e);
        }
    }

    @Override
    public Sentences begin(SplittableRandom random) {
        int first = random.nextInt(sentences.size());
        return new Sentences() {
            private int at = first;

            @Override
            public String next() {
                String sentence = sentences.get(at);
                at = (at + 1) % sentences.size();
                return sentence;
            }
        };
    }

    @Override
    public String identity() {
        return identity;
    }
}
