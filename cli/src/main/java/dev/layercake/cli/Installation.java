package dev.layercake.cli;

import dev.layercake.kernels.LayercakeException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.CodeSource;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** The folder in which this program is installed, and the model that comes with it. */
final class Installation {
    /** Name of the bundled model. */
    static final String BUNDLED = "crumb";

    private static final String HOME_PROPERTY = "layercake.home";

    private Installation() {}

    /**
     * The path that a person means by a model: a path, or the name of the bundled model, or nothing for the same.
     *
     * @throws LayercakeException (bad input) if it does not exist
     */
    static Path model(@Nullable Path given) {
        if (given != null && Files.exists(given)) {
            return given;
        }
        if (given == null || given.toString().equals(BUNDLED)) {
            return bundled();
        }
        throw LayercakeException.badInput("There is no model at " + given
                + "; give a Hugging Face folder or a GGUF file, or leave -m out to use the bundled " + BUNDLED + ".");
    }

    private static Path bundled() {
        return home().map(home -> home.resolve("models").resolve(BUNDLED))
                .filter(Files::isDirectory)
                .orElseThrow(() -> LayercakeException.badInput("The bundled model was not found; set -D" + HOME_PROPERTY
                        + " to the folder that holds models/" + BUNDLED + ", or give a model with -m."));
    }

    private static Optional<Path> home() {
        String property = System.getProperty(HOME_PROPERTY);
        if (property != null && !property.isBlank()) {
            return Optional.of(Path.of(property));
        }
        CodeSource source = Installation.class.getProtectionDomain().getCodeSource();
        if (source == null) {
            return Optional.empty();
        }
        try {
            Path folder = Path.of(source.getLocation().toURI()).getParent();
            while (folder != null && !Files.isDirectory(folder.resolve("models").resolve(BUNDLED))) {
                folder = folder.getParent();
            }
            return Optional.ofNullable(folder);
        } catch (URISyntaxException e) {
            return Optional.empty();
        }
    }
}
