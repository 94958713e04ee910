import { Module } from '@nestjs/common';
import { SafeCloseModule } from 'nestjs-safe-close';
import { ChatGateway } from './chat.gateway.js';
import { CloseLog } from './close.log.js';
import { DrainBar } from './drain.bar.js';
import { PageController } from './page.controller.js';

@Module({
  imports: [SafeCloseModule.forRoot()],
  controllers: [PageController],
  providers: [ChatGateway, CloseLog, DrainBar],
})
export class ChatModule {}
