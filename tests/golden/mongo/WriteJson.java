import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.Constructor;
import java.lang.reflect.Method;
import java.nio.ByteBuffer;
import java.util.HexFormat;
import org.bson.BsonBinaryReader;
import org.bson.BsonDocument;
import org.bson.codecs.BsonDocumentCodec;
import org.bson.codecs.DecoderContext;

/** For each line of standard input, a BSON document in hexadecimal: what Debezium writes for it as value, as updatedFields
 *  and as the key's id, each in hexadecimal (UTF-8). */
public final class WriteJson {
    public static void main(String[] arguments) throws Exception {
        Class<?> type = Class.forName("io.debezium.connector.mongodb.JsonSerialization");
        Constructor<?> constructor = type.getDeclaredConstructor();
        constructor.setAccessible(true);
        Object serialization = constructor.newInstance();
        Method value = method(type, "getDocumentValue");
        Method id = method(type, "getDocumentId");
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        PrintStream out = new PrintStream(System.out, false, "UTF-8");
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            ByteBuffer bytes = ByteBuffer.wrap(HexFormat.of().parseHex(line));
            BsonDocument document = new BsonDocumentCodec().decode(new BsonBinaryReader(bytes), DecoderContext.builder().build());
            out.println(hex(value.invoke(serialization, document)) + " " + hex(document.toJson()) + " "
                + (document.containsKey("_id") ? hex(id.invoke(serialization, document)) : ""));
        }
        out.flush();
    }

    private static Method method(Class<?> type, String name) throws Exception {
        Method method = type.getDeclaredMethod(name, BsonDocument.class);
        method.setAccessible(true);
        return method;
    }

    private static String hex(Object text) throws Exception {
        return HexFormat.of().formatHex(((String) text).getBytes("UTF-8"));
    }
}
