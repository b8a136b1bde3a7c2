package dev.layercake.eval;

import dev.layercake.kernels.LayercakeException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;

/** The files that tell what an evaluation found: a page, CSV, JSON, and a picture per policy where there are heat maps. */
public final class Report {
    private Report() {}

    /**
     * Writes them, over those of an earlier run.
     *
     * @return the files
     * @throws LayercakeException (bad input) if the folder cannot be written to
     */
    public static List<Path> write(Summary summary, Path folder) {
        try {
            List<Path> written = new ArrayList<>();
            written.add(Files.writeString(folder.resolve("report.html"), new ReportPage(summary).html()));
            written.add(Files.writeString(folder.resolve("summary.csv"), Table.csv(summary)));
            written.add(Files.writeString(folder.resolve("summary.json"), Table.json(summary) + "\n"));
            HeatMap.all(summary).forEach((policy, maps) -> {
                Path picture = folder.resolve("heatmap-" + fileName(policy) + ".png");
                String heading = policy + " - " + summary.title() + " - "
                        + summary.setup().getOrDefault("model", "");
                new HeatMapImage(maps, heading, summary.view()).write(picture);
                written.add(picture);
            });
            return written;
        } catch (IOException | UncheckedIOException e) {
            throw LayercakeException.badInput(
                    "The reports cannot be written to " + folder + " (" + e.getMessage() + "); give another --out.", e);
        }
    }

    /** Takes away the files that an earlier run wrote. */
    public static void remove(Path folder) {
        try (Stream<Path> files = Files.list(folder)) {
            for (Path file : files.toList()) {
                String name = file.getFileName().toString();
                if (name.equals("report.html") || name.matches("summary\\.(csv|json)|heatmap-.*\\.png")) {
                    Files.delete(file);
                }
            }
        } catch (IOException e) {
            throw LayercakeException.badInput(
                    "An older report in " + folder + " cannot be removed (" + e.getMessage() + "); give another --out.",
                    e);
        }
    }

    /** Letters, digits and hyphens only. */
    static String fileName(String policy) {
        return policy.toLowerCase(Locale.ROOT).replaceAll("[^a-z0-9.]+", "-").replaceAll("^-|-$", "");
    }
}
