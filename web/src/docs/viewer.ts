/** The viewer and its looks, a chunk of their own. */
import 'swagger-ui-dist/swagger-ui.css'
import SwaggerUI from 'swagger-ui-dist/swagger-ui-es-bundle.js'

export default SwaggerUI
