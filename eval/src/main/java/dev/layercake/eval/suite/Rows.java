package dev.layercake.eval.suite;

import dev.layercake.kernels.LayercakeException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Stream;
import java.util.zip.CRC32;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * The rows of a data file: JSON objects, one a line or all in one array.
 *
 * @param file where they lie
 * @param digest of the file's bytes
 */
record Rows(Path file, List<JsonNode> list, String digest) {
    /**
     * Reads a file.
     *
     * @throws LayercakeException (bad input) if it cannot be read, or is not as it should be, naming the line
     */
    static Rows of(Path file) {
        byte[] bytes;
        try {
            bytes = Files.readAllBytes(file);
        } catch (IOException e) {
            throw LayercakeException.badInput("The data file " + file + " cannot be read; check the path.", e);
        }
        CRC32 crc = new CRC32();
        crc.update(bytes);
        String text = new String(bytes, StandardCharsets.UTF_8);
        List<JsonNode> rows = text.stripLeading().startsWith("[") ? array(file, text) : lines(file, text);
        if (rows.isEmpty()) {
            throw LayercakeException.badInput("The data file " + file + " holds no rows.");
        }
        return new Rows(file, rows, String.format(Locale.ROOT, "%08x", crc.getValue()));
    }

    private static List<JsonNode> array(Path file, String text) {
        List<JsonNode> rows = new ArrayList<>();
        parse(file, text, "").forEach(rows::add);
        return rows;
    }

    private static List<JsonNode> lines(Path file, String text) {
        List<JsonNode> rows = new ArrayList<>();
        int number = 0;
        for (String line : text.lines().toList()) {
            number++;
            if (!line.isBlank()) {
                rows.add(parse(file, line, ", line " + number + ","));
            }
        }
        return rows;
    }

    private static JsonNode parse(Path file, String text, String where) {
        try {
            JsonNode node = JsonMapper.shared().readTree(text);
            if (node.isContainer()) {
                return node;
            }
        } catch (JacksonException e) {
            throw LayercakeException.badInput(
                    "The data file " + file + where + " is not JSON: give an object a line.", e);
        }
        throw LayercakeException.badInput("The data file " + file + where + " is no JSON object.");
    }

    /** A text field that has to be there. */
    String text(int row, String field) {
        return optional(row, field)
                .orElseThrow(() -> LayercakeException.badInput("Row " + (row + 1) + " of " + file + " has no text \""
                        + field + "\"; give one, as the published files have it."));
    }

    /** A text field; a number is written out. */
    Optional<String> optional(int row, String field) {
        JsonNode value = list.get(row).path(field);
        return value.isString() || value.isNumber() ? Optional.of(value.asString()) : Optional.empty();
    }

    /** A field with a text or several, or none. */
    List<String> texts(int row, String field) {
        JsonNode value = list.get(row).path(field);
        List<String> texts = new ArrayList<>();
        if (value.isArray()) {
            value.forEach(element -> texts.add(element.isContainer() ? element.toString() : element.asString()));
        } else if (value.isString() || value.isNumber()) {
            texts.add(value.asString());
        }
        return texts;
    }

    /** The files of a folder with some endings, by name; the path itself if it is a file. */
    static List<Path> files(Path path, String... endings) {
        if (Files.isRegularFile(path)) {
            return List.of(path);
        }
        try (Stream<Path> files = Files.list(path)) {
            return files.filter(file -> Stream.of(endings)
                            .anyMatch(ending -> file.getFileName().toString().endsWith(ending)))
                    .sorted(Comparator.comparing(file -> file.getFileName().toString()))
                    .toList();
        } catch (IOException e) {
            throw LayercakeException.badInput("The folder " + path + " cannot be read; check --data.", e);
        }
    }

    /** The files with some endings in a folder and its folders, by path. */
    static List<Path> tree(Path folder, String... endings) {
        try (Stream<Path> tree = Files.walk(folder, 2)) {
            return tree.filter(path -> Stream.of(endings).anyMatch(path.toString()::endsWith))
                    .sorted()
                    .toList();
        } catch (IOException | UncheckedIOException e) {
            throw LayercakeException.badInput("The folder " + folder + " cannot be read; check --data.", e);
        }
    }

    /** An official file that lies beside the data, at the first of some places seen from there. */
    static Optional<Path> beside(Path data, String name, String... places) {
        return Stream.of(places)
                .map(place -> data.toAbsolutePath().resolveSibling(place + name).normalize())
                .filter(Files::isRegularFile)
                .findFirst();
    }

    /** A file's name without its last ending. */
    static String name(Path file) {
        String name = file.getFileName().toString();
        int dot = name.lastIndexOf('.');
        return dot < 0 ? name : name.substring(0, dot);
    }
}
