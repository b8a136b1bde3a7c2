package dev.layercake.engine;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.UnaryOperator;

/** The bundled model with another description. */
final class CrumbVariant {
    private CrumbVariant() {}

    /**
     * A folder with Crumb's weights.
     *
     * @param config changes config.json
     */
    static Path in(Path folder, UnaryOperator<String> config) throws IOException {
        return in(folder, config, UnaryOperator.identity());
    }

    /** @param tokenizer changes tokenizer.json and tokenizer_config.json */
    static Path in(Path folder, UnaryOperator<String> config, UnaryOperator<String> tokenizer) throws IOException {
        Path crumb =
                Crumb.root().resolve("models").resolve("crumb").toAbsolutePath().normalize();
        Files.createSymbolicLink(folder.resolve("model.safetensors"), crumb.resolve("model.safetensors"));
        Files.writeString(folder.resolve("config.json"), config.apply(Files.readString(crumb.resolve("config.json"))));
        for (String name : new String[] {"tokenizer.json", "tokenizer_config.json"}) {
            Files.writeString(folder.resolve(name), tokenizer.apply(Files.readString(crumb.resolve(name))));
        }
        return folder;
    }
}
