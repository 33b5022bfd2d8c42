import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.backend.h2.H2Backend;
import de.bwaldvogel.mongo.bson.Document;
import de.bwaldvogel.mongo.wire.message.MongoMessage;

/**
 * A stand-in for a MongoDB server: java StandIn PORT FILE. It prints the port it listens on. One command at a time,
 * and none is answered before the file has it, so that what was acknowledged survives a kill, as journalled writes do.
 */
public class StandIn {
    static class Durable extends H2Backend {
        Durable(String file) {
            super(file);
        }

        @Override
        public synchronized Document handleMessage(MongoMessage message) {
            Document reply = super.handleMessage(message);
            commit();
            return reply;
        }
    }

    public static void main(String[] args) {
        MongoServer server = new MongoServer(new Durable(args[1]));
        server.bind("127.0.0.1", Integer.parseInt(args[0]));
        System.out.println(server.getLocalAddress().getPort());
    }
}
